import { dirname, resolve } from 'node:path'
import { z } from 'zod'
import { Refusal } from '../../shared/errors.js'
import { checked, strict } from '../../shared/util/check.js'
import { FileError, readRegularFile } from '../../shared/util/read-file.js'
import type { GrantOptions } from './options.js'

/** A bearer as RFC 6750 has it. */
const TOKEN = /^[A-Za-z0-9._~+/-]{8,}=*$/

const file = strict({
  grants: z
    .array(
      strict({
        label: z.string().min(1).max(100),
        // Read apart: what is wrong with a token must not show it.
        token: z.unknown(),
        policy: z.string().min(1).exactOptional(),
      }),
    )
    .min(1),
})

/**
 * The grants of a file: `{"grants": [{"label", "token", "policy"?}]}`. The path of a policy goes from where the file is.
 *
 * @throws Refusal `bad_grants` that shows no token
 */
export async function readGrantsFile(path: string): Promise<GrantOptions[]> {
  const { grants } = checked(file, parsed(textOf(path), path), 'bad_grants', 'grants file')
  return grants.map(({ label, token, policy }) => {
    if (typeof token !== 'string' || !TOKEN.test(token)) {
      const hint = 'a token is a text of 8 or more letters, digits and ._~+/-, as a bearer may have'
      throw new Refusal(
        'bad_grants',
        `the token of the grant ${JSON.stringify(label)} is missing, or no bearer`,
        hint,
      )
    }
    return { label, token, ...(policy !== undefined && { policy: resolve(dirname(path), policy) }) }
  })
}

function textOf(path: string): string {
  try {
    return readRegularFile(path).toString('utf8')
  } catch (error) {
    if (!(error instanceof FileError)) throw error
    throw new Refusal(
      'bad_grants',
      `cannot read the grants ${JSON.stringify(path)} (${error.message})`,
      'check the path',
    )
  }
}

function parsed(text: string, path: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // The parser's own words would quote the text, tokens and all.
    const hint = 'write {"grants": [{"label": "…", "token": "…", "policy": "FILE"}]}'
    throw new Refusal('bad_grants', `the grants ${JSON.stringify(path)} are not JSON`, hint)
  }
}
