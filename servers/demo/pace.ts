import type { Readable } from 'node:stream'
import type { Clock } from '../../shared/clock/clock.js'

/** Pauses in machine milliseconds: before the first scene, after a step, between two scenes. */
const PAUSE_MS = { start: 10_000, step: 700, scene: 5000 }

/** The pauses of a demo. Enter skips a pause, and all others up to the end of the scene. */
export class Pace {
  #skipSteps = false
  #endPause: (() => void) | undefined

  /** @param fast whether there are no pauses */
  constructor(
    private readonly machine: Clock,
    private readonly fast: boolean,
  ) {}

  /** Lets Enter skip pauses if `input` is a terminal. @returns whether it does */
  listen(input: Readable & { isTTY?: boolean }): boolean {
    if (this.fast || input.isTTY !== true) return false
    input.on('data', () => {
      this.#skipSteps = true
      this.#endPause?.()
    })
    return true
  }

  async pause(kind: keyof typeof PAUSE_MS): Promise<void> {
    if (this.fast || (kind === 'step' && this.#skipSteps)) return
    await new Promise<void>(resolve => {
      const timer = this.machine.wakeAt(this.machine.now() + PAUSE_MS[kind], resolve)
      this.#endPause = () => {
        timer.cancel()
        resolve()
      }
    })
    if (kind !== 'step') this.#skipSteps = false
  }
}
