import { styleText } from 'node:util'
import { Refusal } from '../../shared/errors.js'
import { DemoFailure } from './assertions.js'
import type { Pace } from './pace.js'

export interface NarratorOptions {
  write: (text: string) => void
  paint: Paint
  pace: Pace
  /** The titles of all scenes, in order. */
  titles: readonly string[]
}

/** Prints the demo as plain lines. */
export class Narrator {
  constructor(private readonly options: NarratorOptions) {}

  /** Prints lines. */
  print(...lines: readonly string[]): void {
    for (const line of lines) this.options.write(`${line}\n`)
  }

  /**
   * Prints the title of a scene and plays the scene.
   *
   * @param title one of the titles of the options
   * @returns the result of `play`
   * @throws DemoFailure that names the scene, whatever failed in it
   */
  async scene<T>(title: string, play: () => Promise<T>): Promise<T> {
    const { paint, pace, titles } = this.options
    const number = titles.indexOf(title) + 1
    this.print('', paint('bold', `[${number}/${titles.length}] ${title}`), '')
    const result = await play().catch(error => {
      const reason = error instanceof Refusal ? error.sentence : String(error)
      throw new DemoFailure(`scene ${number} of ${titles.length} ("${title}") failed: ${reason}`)
    })
    if (number < titles.length) await pace.pause('scene')
    return result
  }

  /** Prints the introduction of a scene, below its title. */
  about(...lines: readonly string[]): void {
    this.print(...lines.map(line => this.options.paint('dim', `  ${line}`)), '')
  }

  /**
   * Prints one action that was checked. Resolves after the pause that follows.
   *
   * @param saw the outcome, as the agent saw it; red if it begins with "denied" or "rejected"
   * @param upstream whether the server behind the gateway was reached, by its own journal
   */
  async step(who: string, does: string, saw?: string, upstream?: string): Promise<void> {
    const { paint, pace } = this.options
    const outcome = (label: string, colour: Colour, text: string) =>
      this.print(`${' '.repeat(12)}${paint('dim', label.padEnd(10))}${paint(colour, text)}`)
    this.print(`  ${paint('cyan', who.padEnd(10))}${does}`)
    if (saw !== undefined) outcome('saw', /^(denied|rejected)/.test(saw) ? 'red' : 'plain', saw)
    if (upstream !== undefined)
      outcome('upstream', upstream.startsWith('not reached') ? 'green' : 'dim', upstream)
    await pace.pause('step')
  }
}

type Colour = 'plain' | 'bold' | 'dim' | 'green' | 'red' | 'cyan'

/** Returns the text in a colour, or as it is. */
export type Paint = (colour: Colour, text: string) => string

/** Returns a `Paint` that colours text for a terminal, unless NO_COLOR is set (https://no-color.org). */
export function paintFor(output: { isTTY?: boolean }, env: NodeJS.ProcessEnv): Paint {
  const coloured = output.isTTY === true && (env.NO_COLOR ?? '') === ''
  return (colour, text) =>
    coloured && colour !== 'plain' ? styleText(colour, text, { validateStream: false }) : text
}
