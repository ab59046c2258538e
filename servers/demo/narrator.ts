import type { Writable } from 'node:stream'
import { styleText } from 'node:util'
import type { Clock } from '../../shared/clock/clock.js'
import { Refusal } from '../../shared/errors.js'

/** The lengths of the pauses before the first scene, after a step and between two scenes, in milliseconds. */
const PAUSE_MS = { start: 10_000, step: 700, scene: 5000 }

export interface Scene<Stage> {
  title: string
  about: string
  /** Plays the scene. Checks the outcome of each step before it prints the step. */
  play(stage: Stage, step: Narrate): Promise<void>
}

/**
 * Prints a step: who acts, the action, the outcome that the agent saw, and whether the last call reached a
 * server.
 */
export type Narrate = (who: string, does: string, saw?: string) => Promise<void>

/** Prints the demo as plain lines. */
export class Narrator {
  /**
   * @param upstream a line for each call of an agent, which says whether the call reached a server. A step
   *   removes the lines
   * @param clock the clock of machine time that measures the pauses. If null, there are no pauses
   */
  constructor(
    private readonly output: Writable & { isTTY?: boolean },
    private readonly upstream: string[],
    private readonly clock: Clock | null,
  ) {}

  print(text: string): void {
    this.output.write(`${text}\n`)
  }

  /**
   * Plays scenes one after the other.
   *
   * @throws Refusal with the name of the scene, for every error in a scene
   */
  async play<Stage>(scenes: readonly Scene<Stage>[], stage: Stage): Promise<void> {
    for (const [index, scene] of scenes.entries()) {
      if (index > 0) await this.pause('scene')
      const number = index + 1
      const title = this.#paint('bold', `[${number}/${scenes.length}] ${scene.title}`)
      this.print(`\n${title}\n\n  ${this.#paint('dim', scene.about)}\n`)
      await scene.play(stage, this.step).catch(error => {
        const reason = error instanceof Refusal ? error.message : String(error)
        const name = `scene ${number} of ${scenes.length} ("${scene.title}")`
        throw new Refusal('demo_failed', `${name} failed: ${reason}`)
      })
    }
  }

  readonly step: Narrate = async (who, does, saw) => {
    this.print(`  ${this.#paint('cyan', who.padEnd(10))}${does}`)
    for (const [label, text] of Object.entries({ saw, upstream: this.upstream.splice(0).at(-1) })) {
      if (text !== undefined) this.print(`${' '.repeat(12)}${this.#paint('dim', label.padEnd(10))}${text}`)
    }
    await this.pause('step')
  }

  async pause(kind: keyof typeof PAUSE_MS): Promise<void> {
    const { clock } = this
    if (clock === null) return
    await new Promise<void>(resolve => void clock.wakeAt(clock.now() + PAUSE_MS[kind], resolve))
  }

  /** Colours text for a terminal, unless NO_COLOR is set (https://no-color.org). */
  #paint(style: 'bold' | 'dim' | 'cyan', text: string): string {
    const coloured = this.output.isTTY === true && !process.env.NO_COLOR
    return coloured ? styleText(style, text, { validateStream: false }) : text
  }
}
