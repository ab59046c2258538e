import type { Paint } from './colours.js'
import type { Pace } from './pace.js'

/** One thing that somebody did, and what came of it. */
export interface Step {
  who: string
  does: string
  /** What whoever did it got to see. */
  saw?: string
  /** Whether that was a refusal. */
  refused?: boolean
  /** What the server behind the gateway has to do with it, by its own journal. */
  upstream?: string
}

/** Columns of who does something. */
const WHO_COLUMNS = 10
const MARGIN = ' '.repeat(2 + WHO_COLUMNS)

export interface NarratorOptions {
  write: (text: string) => void
  paint: Paint
  pace: Pace
}

/** Tells on a terminal what happens, in plain lines that may as well be in a file. */
export class Narrator {
  readonly #options: NarratorOptions

  constructor(options: NarratorOptions) {
    this.#options = options
  }

  /** Lines as they stand. */
  says(...lines: readonly string[]): void {
    for (const line of lines) this.#line(line)
  }

  /** A scene begins. */
  scene(number: number, of: number, title: string): void {
    const { paint } = this.#options
    this.says('', paint('bold', `[${number}/${of}] ${title}`), '')
  }

  /** What it is about, below its title. */
  about(...lines: readonly string[]): void {
    const { paint } = this.#options
    this.says(...lines.map(line => paint('dim', `  ${line}`)), '')
  }

  /** Something has happened. Resolves when it has been read. */
  async step({ who, does, saw, refused = false, upstream }: Step): Promise<void> {
    const { paint, pace } = this.#options
    this.#line(`  ${paint('cyan', who.padEnd(WHO_COLUMNS))}${does}`)
    if (saw !== undefined) {
      this.#line(`${MARGIN}${paint('dim', 'saw')}       ${refused ? paint('red', saw) : saw}`)
    }
    if (upstream !== undefined) {
      const colour = upstream.startsWith('not reached') ? 'green' : 'dim'
      this.#line(`${MARGIN}${paint('dim', 'upstream')}  ${paint(colour, upstream)}`)
    }
    await pace.beat()
  }

  #line(text: string): void {
    this.#options.write(`${text}\n`)
  }
}
