import { Refusal } from '../../shared/errors.js'

/**
 * Has every server answer a call, as the control plane makes it: they are ready once they do, and no journal begins with it.
 *
 * @throws Refusal `not_ready`, with what did not answer
 */
export async function answersToItself(controlUrl: string): Promise<void> {
  const response = await fetch(`${controlUrl}/readyz`)
  const answer = await response.text()
  if (response.ok) return
  throw new Refusal('not_ready', `the servers do not answer their own call (${response.status})`, answer)
}
