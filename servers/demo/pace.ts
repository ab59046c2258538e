import type { Readable } from 'node:stream'
import type { Clock } from '../../shared/clock/clock.js'

/** Pauses in machine milliseconds: time to open the page, to read a step, to read a scene. */
const PAUSE_MS = { start: 10_000, step: 700, scene: 5000 }

/** The pauses of a demo. Enter skips them: within a scene up to its end, after a scene the one before the next. */
export class Pace {
  readonly #machine: Clock
  readonly #fast: boolean
  #skipSteps = false
  #endPause: (() => void) | undefined

  /**
   * @param machine the machine's clock
   * @param fast whether there are no pauses
   */
  constructor(machine: Clock, fast: boolean) {
    this.#machine = machine
    this.#fast = fast
  }

  /** Lets Enter skip pauses if `input` is a terminal. @returns whether it does */
  listen(input: Readable & { isTTY?: boolean }): boolean {
    if (this.#fast || input.isTTY !== true) return false
    input.on('data', () => {
      this.#skipSteps = true
      this.#endPause?.()
    })
    return true
  }

  /** Pauses before the first scene. */
  async beforeScenes(): Promise<void> {
    await this.#pause(PAUSE_MS.start)
    this.#skipSteps = false
  }

  /** Pauses after a step. */
  async afterStep(): Promise<void> {
    if (!this.#skipSteps) await this.#pause(PAUSE_MS.step)
  }

  /** Pauses between two scenes. */
  async afterScene(): Promise<void> {
    await this.#pause(PAUSE_MS.scene)
    this.#skipSteps = false
  }

  #pause(ms: number): Promise<void> {
    if (this.#fast) return Promise.resolve()
    return new Promise(resolve => {
      const timer = this.#machine.wakeAt(this.#machine.now() + ms, resolve)
      this.#endPause = () => {
        timer.cancel()
        resolve()
      }
    })
  }
}
