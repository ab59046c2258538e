import type { Readable } from 'node:stream'
import type { Clock } from '../../../shared/clock/clock.js'

/** For somebody who reads along, in machine milliseconds: to open the page first, behind each step, behind each scene. */
const LEAD_MS = 10_000
const BEAT_MS = 700
const REST_MS = 5000

/** How fast a demo goes. Enter goes on at once: in a scene to its end, behind it to the next. */
export class Pace {
  readonly #machine: Clock
  readonly #fast: boolean
  /** Whether the rest of the scene comes without a pause. */
  #hurried = false
  #goOn: (() => void) | undefined

  /**
   * @param machine the machine's time
   * @param fast there are no pauses
   */
  constructor(machine: Clock, fast: boolean) {
    this.#machine = machine
    this.#fast = fast
  }

  /** Has Enter go on, where somebody can press it. Returns whether that is so. */
  listen(input: Readable & { isTTY?: boolean }): boolean {
    if (this.#fast || input.isTTY !== true) return false
    input.on('data', () => {
      this.#hurried = true
      this.#goOn?.()
    })
    return true
  }

  /** Before the first scene. */
  async lead(): Promise<void> {
    await this.#wait(LEAD_MS)
    this.#hurried = false
  }

  /** Behind a step. */
  async beat(): Promise<void> {
    if (!this.#hurried) await this.#wait(BEAT_MS)
  }

  /** Between two scenes. */
  async rest(): Promise<void> {
    await this.#wait(REST_MS)
    this.#hurried = false
  }

  #wait(ms: number): Promise<void> {
    if (this.#fast) return Promise.resolve()
    return new Promise(resolve => {
      const due = this.#machine.wakeAt(this.#machine.now() + ms, resolve)
      this.#goOn = () => {
        due.cancel()
        resolve()
      }
    })
  }
}
