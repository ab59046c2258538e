import { signal } from '@preact/signals'
import { ask, Refused } from './request.js'
import { refreshState } from './state.js'

/** The result of the last action, for the page and for screen readers. */
export const notice = signal<{ text: string; failed: boolean } | undefined>(undefined)

/** True while an action is running. */
export const busy = signal(false)

/**
 * Sends a request to the control plane, shows a notice about the result, and reads the state again.
 *
 * @param words returns the text of the notice after success. Its argument is the answer
 */
export async function runAction<Answer>(
  method: 'PUT' | 'POST' | 'DELETE',
  path: string,
  body: unknown,
  words: (answer: Answer) => string,
): Promise<void> {
  if (busy.value) return
  busy.value = true
  try {
    notice.value = { text: words(await ask<Answer>(method, path, body)), failed: false }
  } catch (error) {
    notice.value = {
      text:
        error instanceof Refused
          ? error.message
          : 'The control plane does not answer. Check that the understudy is still running.',
      failed: true,
    }
  }
  await refreshState()
  busy.value = false
}
