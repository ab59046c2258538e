import { describe, expect, it } from 'vitest'
import { seal, unseal } from '../../../servers/safebot/room-url.js'
import { IdSource } from '../../../shared/ids.js'

const key = new IdSource('key').bytes(32)

describe('sealing', () => {
  it('opens with the same key and no other', () => {
    const sealed = seal(key, 'grüße 👋', new IdSource('a'))
    expect(unseal(key, sealed)).toBe('grüße 👋')
    expect(unseal(new IdSource('other').bytes(32), sealed)).toBeNull()
  })

  it('opens nothing that was changed or invented', () => {
    const sealed = seal(key, 'pay 10', new IdSource('a'))
    const bytes = Buffer.from(sealed.ciphertext, 'base64')
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1
    expect(unseal(key, { ...sealed, ciphertext: bytes.toString('base64') })).toBeNull()
    expect(unseal(key, { ciphertext: 'AAAA', nonce: 'AAAA' })).toBeNull()
  })

  // fidelity safebot/mcp, same: Messages are sealed with NaCl's secretbox.
  it('is NaCl’s secretbox: the test vector of the NaCl paper opens', () => {
    const vector = {
      key: '1b27556473e985d462cd51197a9a46c76009549eac6474f206c4ee0844f68389',
      nonce: '69696ee955b62b73cd62bda875fc73d68219e0036b7a0b37',
      ciphertext:
        'f3ffc7703f9400e52a7dfb4b3d3305d98e993b9f48681273c29650ba32fc76ce48332ea7164d96a4476fb8c531a1186ac0dfc17c98dce87b4da7f011ec48c97271d2c20f9b928fe2270d6fb863d51738b48eeee314a7cc8ab932164548e526ae90224368517acfeabd6bb3732bc0e9da99832b61ca01b6de56244a9e88d5f9b37973f622a43d14a6599b1f654cb45a74e355a5',
    }
    // The vector's message is bytes, not text: that it opens at all is the proof, for a wrong cipher gives null.
    const opened = unseal(Buffer.from(vector.key, 'hex'), {
      ciphertext: Buffer.from(vector.ciphertext, 'hex').toString('base64'),
      nonce: Buffer.from(vector.nonce, 'hex').toString('base64'),
    })
    expect(opened).not.toBeNull()
  })
})
