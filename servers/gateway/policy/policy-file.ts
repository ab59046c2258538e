import { Refusal } from '../../../shared/errors.js'
import { FileError, readRegularFile } from '../../../shared/util/read-file.js'
import type { PolicyReading } from './model.js'
import { readPolicy } from './read.js'

/**
 * Reads the policy in a file.
 *
 * @throws Refusal `policy_file` if it cannot be read; PolicyRefusal with everything that is wrong with it
 */
export async function readPolicyFile(path: string): Promise<PolicyReading> {
  return readPolicy(textOf(path), path)
}

function textOf(path: string): string {
  try {
    return readRegularFile(path).toString('utf8')
  } catch (error) {
    if (!(error instanceof FileError)) throw error
    throw new Refusal(
      'policy_file',
      `cannot read the policy ${JSON.stringify(path)} (${error.message})`,
      'check the path',
    )
  }
}
