import { readFile } from 'node:fs/promises'
import { Refusal } from '../../../shared/errors.js'
import type { PolicyReading } from './model.js'
import { readPolicy } from './read.js'

/**
 * Reads the policy in a file.
 *
 * @throws Refusal `policy_file` if it cannot be read; PolicyRefusal with everything that is wrong with it
 */
export async function readPolicyFile(path: string): Promise<PolicyReading> {
  return readPolicy(await textOf(path), path)
}

async function textOf(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    throw new Refusal(
      'policy_file',
      `cannot read the policy ${JSON.stringify(path)} (${reason})`,
      'check the path',
    )
  }
}
