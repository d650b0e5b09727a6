import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Signer } from '#hotpath/venues/venue-signer.ts';

const ALGORITHMS = ['sha256', 'sha384', 'sha512'] as const;

it('signs as RFC 4231 says', () => {
  // Test case 2.
  expect(new Signer('sha256', 'Jefe').sign('what do ya want for nothing?', 'hex')).toBe(
    '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
  );
});

it('signs text after text as an Hmac object does, whatever the secret and however long the text', () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 300 }),
    fc.nat({ max: 5_000 }).map((length) => 'ä'.repeat(length)),
    fc.uint8Array({ maxLength: 3_000 }),
  );
  fc.assert(
    fc.property(
      fc.constantFrom(...ALGORITHMS),
      fc.string({ unit: 'binary', maxLength: 200 }),
      fc.array(text, { minLength: 1, maxLength: 5 }),
      fc.constantFrom('hex' as const, 'base64' as const),
      (algorithm, secret, texts, digest) => {
        const signer = new Signer(algorithm, secret);
        for (const each of texts)
          expect(signer.sign(each, digest)).toBe(createHmac(algorithm, secret).update(each).digest(digest));
      },
    ),
  );
});
