import { describe, expect, it } from 'vitest'
import { beginningOf, cutAtSecrets, maskSecrets, secretsIn } from '../../../shared/util/secrets.js'

const TOKEN = '6b18bec9-43ea-49f6-9046-1a62374633db'
const KEY = 'ErQCE6CJH9oBWIlD22AaCd6pVfUvu9j0_fxPXqUT5VQ'
const JWT = 'eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhY2N0X3BhaWQifQ.c2lnbmF0dXJl_c2ln'

/** Texts with a secret, and the same texts with the secret masked. */
const MASKED: [text: string, masked: string][] = [
  [
    'postgres://usr_1:hunter2@127.0.0.1:5432/db_1',
    'postgres://usr_1:[a database URL with its password]@127.0.0.1:5432/db_1',
  ],
  [`http://127.0.0.1/room/ABC#k=${KEY} is it`, 'http://127.0.0.1/room/ABC#k=[the key of a room] is it'],
  [`{"token":"${TOKEN}"}`, '{"token":"[the token of a resource]"}'],
  [
    JSON.stringify({ text: JSON.stringify({ token: TOKEN }) }),
    '{"text":"{\\"token\\":\\"[the token of a resource]\\"}"}',
  ],
  [`Token: ${TOKEN}`, 'Token: [the token of a resource]'],
  [`/pricing.html?token=${TOKEN}`, '/pricing.html?token=[the token of a resource]'],
  [`POST /webhook/receive/${TOKEN}`, 'POST /webhook/receive/[the token of a resource]'],
  [`DELETE /api/me/resources/${TOKEN}`, 'DELETE /api/me/resources/[the token of a resource]'],
  [`[postgres] ${TOKEN} (orders)`, '[postgres] [the token of a resource] (orders)'],
  [`[webhook] ${TOKEN}`, '[webhook] [the token of a resource]'],
  [`Bearer ${JWT}`, 'Bearer [a JSON web token]'],
]

describe('secrets in a text', () => {
  it.each(MASKED)('are masked in %s', (text, masked) => {
    expect(maskSecrets(text)).toBe(masked)
  })

  it('can all be restored in their places', () => {
    const text = MASKED.map(([one]) => one).join('\n')
    const parts = cutAtSecrets(text)
    expect(parts.map(part => part.text).join('')).toBe(text)
    expect(parts.filter(({ secret }) => secret !== null)).toHaveLength(MASKED.length)
  })

  it.each(MASKED)('are hidden however a text is cut: %s', (text, masked) => {
    const [secret = ''] = cutAtSecrets(text).flatMap(part => (part.secret === null ? [] : [part.text]))
    for (let chars = 0; chars <= text.length; chars++) {
      const shown = maskSecrets(beginningOf(text, chars))
      expect(shown.length).toBeLessThanOrEqual(masked.length)
      expect(masked.startsWith(shown)).toBe(true)
      expect(shown).not.toContain(secret.slice(0, 4))
    }
    expect(beginningOf('plain text', 5)).toBe('plain')
  })

  it('are recognized by their kind', () => {
    expect(secretsIn(`{"token":"${TOKEN}","url":"x#k=${KEY}"}`)).toEqual([
      'the key of a room',
      'the token of a resource',
    ])
  })

  it.each([
    `{"claim_id":"${TOKEN}"}`,
    'postgres://localhost/db',
    'http://127.0.0.1/room/ABC',
    'a token is needed',
    '',
  ])('are not found where there are none: %s', text => {
    expect([maskSecrets(text), secretsIn(text)]).toEqual([text, []])
  })
})
