import { signal } from '@preact/signals'
import { ask, Refused } from './request.js'
import { look } from './state.js'

/** The result of the last action, for the page and for screen readers. */
export const notice = signal<{ text: string; failed: boolean } | undefined>(undefined)

/** Whether an action is running. */
export const busy = signal(false)

/**
 * Has the control plane do something, says how that went, and looks at what has come of it.
 *
 * @param words says what has been done
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
      text: error instanceof Refused ? error.message : 'the control plane does not answer',
      failed: true,
    }
  }
  await look()
  busy.value = false
}
