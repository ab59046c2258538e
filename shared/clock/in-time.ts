import type { Clock, Wakeup } from './clock.js'

/**
 * Returns the result of `work`, or throws after a time limit.
 *
 * @param machine machine time, because a manual clock must not stop the limit
 * @throws Error after `ms` milliseconds, or the error of `work`
 */
export async function inTime<T>(machine: Clock, ms: number, work: Promise<T>): Promise<T> {
  let alarm: Wakeup | undefined
  const tooLate = new Promise<never>((_, reject) => {
    const giveUp = () => reject(new Error(`no answer within ${ms} ms`))
    alarm = machine.wakeAt(machine.now() + ms, giveUp)
  })
  try {
    return await Promise.race([work, tooLate])
  } finally {
    alarm?.cancel()
  }
}

/**
 * Waits for a notification, up to the time after which the caller should look without one.
 *
 * @param ms milliseconds of machine time
 * @param listeners receives a function that ends the wait
 * @returns a promise that then resolves, and a function that gives up the wait
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
