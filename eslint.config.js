import { defineConfig } from 'eslint/config';
import tseslint from 'typescript-eslint';

const banned = (selector, message) => ({ selector, message });
const clock = 'Time comes from shared/clock: a clock that is passed in can be replayed.';
const chance = 'Chance comes from a seeded generator (shared/random.ts): a run must be repeatable.';
const determinism = [
  banned("CallExpression[callee.object.name='Date'][callee.property.name='now']", clock),
  banned("NewExpression[callee.name='Date'][arguments.length=0]", clock),
  banned("CallExpression[callee.object.name='performance'][callee.property.name='now']", clock),
  banned("CallExpression[callee.object.name='Math'][callee.property.name='random']", chance),
];
const always = [
  banned("CallExpression[callee.name='parseFloat']", 'Use Number, or the byte scanner; parseFloat accepts "1x".'),
  banned('ExportDefaultDeclaration', 'Named exports: one name for one thing.'),
  banned('TSEnumDeclaration', 'Unions of string literals: the source runs as it is.'),
];

export default defineConfig(
  { ignores: ['node_modules', 'cdk.out', 'dist', '.arbitrage', '**/*.js', '**/*.cjs'] },
  tseslint.configs.strictTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: false }],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-shadow': 'error',
      '@typescript-eslint/strict-boolean-expressions': 'error',
      '@typescript-eslint/prefer-readonly': 'error',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      // `noUncheckedIndexedAccess` makes every typed-array read `number | undefined`; the hot path indexes within bounds it has checked.
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/consistent-type-definitions': ['error', 'type'],
      'max-lines-per-function': ['error', { max: 70, skipBlankLines: true, skipComments: true }],
      'max-params': ['error', 4],
      eqeqeq: 'error',
      'no-restricted-syntax': ['error', ...determinism, ...always],
    },
  },
  {
    files: ['shared/clock/clock.ts', 'bin/**', 'infra/**', 'functions/**', 'test/**', 'simulator/main.ts'],
    rules: { 'no-restricted-syntax': ['error', ...always] },
  },
  {
    // A test reads as a story: its length is its own. Fakes implement async contracts without awaiting.
    files: ['test/**'],
    rules: {
      'max-lines-per-function': 'off',
      'max-params': 'off',
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
    },
  },
  { files: ['*.config.ts'], rules: { 'no-restricted-syntax': 'off' } },
);
