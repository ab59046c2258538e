import type { Clock } from './clock.js'

/**
 * Waits to be told of something, and for no longer than it takes to look for oneself.
 *
 * @param ms of the machine's time
 * @param listeners where to be told: what is in there is called
 * @returns what resolves then, and how not to wait any more
 */
export function wakeOrLater(
  machine: Clock,
  ms: number,
  listeners: Set<() => void>,
): { promise: Promise<void>; forget(): void } {
  let forget = () => {}
  const promise = new Promise<void>(resolve => {
    const wake = () => {
      forget()
      resolve()
    }
    const wakeup = machine.wakeAt(machine.now() + ms, wake)
    listeners.add(wake)
    forget = () => {
      wakeup.cancel()
      listeners.delete(wake)
    }
  })
  return { promise, forget }
}
