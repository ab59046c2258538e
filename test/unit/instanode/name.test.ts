import { describe, expect, it } from 'vitest'
import { readResourceName } from '../../../servers/instanode/domain/provisioning.js'
import { ServiceRefusal } from '../../../servers/instanode/domain/refusals.js'

function refusalOf(text: string): ServiceRefusal {
  try {
    readResourceName(text)
  } catch (error) {
    if (error instanceof ServiceRefusal) return error
  }
  throw new Error(`${JSON.stringify(text)} was taken`)
}

describe('a name', () => {
  // fidelity instanode/names, same: A name may have any other characters. Spaces of Unicode are trimmed.
  it.each([
    ['plain', 'plain'],
    ['  around  ', 'around'],
    ['\u00a0no-break\u2003em\u0085', 'no-break\u2003em'],
    ['🎭 emoji', '🎭 emoji'],
    [`'; DROP DATABASE postgres; --`, `'; DROP DATABASE postgres; --`],
    ['$(rm -rf /) `id` | > <', '$(rm -rf /) `id` | > <'],
    ['in\u0085side', 'in\u0085side'],
    ['zero\u200bwidth \u202ebidi', 'zero\u200bwidth \u202ebidi'],
    ['x'.repeat(64), 'x'.repeat(64)],
    ['é'.repeat(32), 'é'.repeat(32)],
    ['lone \ud800 half', 'lone \ufffd half'],
  ])('%j is kept as %j', (given, kept) => {
    expect(readResourceName(given)).toBe(kept)
  })

  // fidelity instanode/names, same: A bad name has one code and three messages: required, too long, control
  // characters.
  it.each([
    ['', 'required'],
    [' \t\u00a0 ', 'required'],
    ['x'.repeat(65), '64 or fewer'],
    ['é'.repeat(33), '64 or fewer'],
    ['🎭'.repeat(17), '64 or fewer'],
    ['a\u0000b', 'control'],
    ['a\nb', 'control'],
    ['a\u007fb', 'control'],
  ])('%j is refused with one code and one of three messages', (given, part) => {
    const refusal = refusalOf(given)
    expect([refusal.status, refusal.code]).toEqual([400, 'name_required'])
    expect(refusal.message).toContain(part)
  })
})
