/** The architecture, as rules: see docs/architecture.md. */
const stages = '(feed|book|detect|size|risk|execute|recover|publish)';
module.exports = {
  forbidden: [
    {
      name: 'stages-do-not-know-each-other',
      severity: 'error',
      comment: 'Only pipeline.ts and the wiring join stages; a stage speaks in shared/domain types.',
      from: { path: `^hotpath/${stages}/` },
      to: { path: `^hotpath/${stages}/`, pathNot: '^hotpath/$1/' },
    },
    {
      name: 'venue-describes-only',
      severity: 'error',
      comment: 'A venue file is data and pure functions.',
      from: { path: '^hotpath/venues/(?!index|venue)' },
      to: { path: '^(hotpath|functions|infra|simulator|bin)/', pathNot: ['^hotpath/venues/venue[^/]*[.]ts$'] },
    },
    {
      name: 'route-family-sees-the-domain-only',
      severity: 'error',
      comment: 'A family turns instruments into routes: it sees the domain and its contract.',
      from: { path: '^hotpath/detect/routes/(?!index)' },
      to: { path: '^(hotpath|functions|infra|simulator|bin)/', pathNot: ['^hotpath/detect/route[.]ts$'] },
    },
    {
      name: 'deployables-are-apart',
      severity: 'error',
      comment: 'Each deployable meets the others only through shared/. infra/local and bin wire them together.',
      from: { path: '^(hotpath|functions|simulator|dashboard)/' },
      to: { path: '^(hotpath|functions|infra|simulator|dashboard|bin)/', pathNot: '^$1/' },
    },
    {
      name: 'infrastructure-describes',
      severity: 'error',
      comment: 'infra/cdk names the files that it deploys; it imports none of them.',
      from: { path: '^infra/cdk/' },
      to: { path: '^(hotpath|functions|simulator|dashboard|bin|infra/local)/' },
    },
    {
      name: 'shared-is-a-leaf',
      severity: 'error',
      comment: 'shared/ imports nothing of ours.',
      from: { path: '^shared/' },
      to: { path: '^(hotpath|functions|infra|simulator|dashboard|bin|test)/' },
    },
    {
      name: 'only-runtime-touches-the-network',
      severity: 'error',
      comment: 'Sockets behind one contract: a virtual transport can stand in for them.',
      from: { path: '^hotpath/', pathNot: '^hotpath/(runtime|publish)/' },
      to: { path: '^(ws|undici|net|tls|http|https|node:net|node:tls|node:http|node:https)$' },
    },
    { name: 'no-circular', severity: 'error', comment: 'A cycle hides an order.', from: {}, to: { circular: true } },
    {
      name: 'no-dep-on-test',
      severity: 'error',
      comment: 'What ships does not lean on tests.',
      from: { pathNot: '^test/' },
      to: { path: '^test/' },
    },
    {
      name: 'not-to-dev-dep',
      severity: 'error',
      comment: 'What ships needs runtime dependencies only.',
      from: { path: '^(hotpath|functions|shared|simulator|bin|infra/local)/' },
      to: { dependencyTypes: ['npm-dev'], pathNot: 'node_modules/@types/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default', 'types'] },
  },
};
