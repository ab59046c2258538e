import { Refusal } from '../../../shared/errors.js'
import { NotAsNarrated } from './as-narrated.js'
import type { Narrator } from './narrator.js'
import type { Pace } from './pace.js'

export interface PlayOptions {
  /** Of all scenes, in their order. */
  titles: readonly string[]
  tell: Narrator
  pace: Pace
}

/** Scenes, one after the other. */
export class Play {
  readonly #options: PlayOptions

  constructor(options: PlayOptions) {
    this.#options = options
  }

  /**
   * Plays one.
   *
   * @param title one of those the play was told of
   * @returns what it leaves to later ones
   * @throws NotAsNarrated naming the scene, whatever went wrong in it
   */
  async scene<T>(title: string, perform: () => Promise<T>): Promise<T> {
    const { titles, tell, pace } = this.#options
    const number = titles.indexOf(title) + 1
    tell.scene(number, titles.length, title)
    const made = await perform().catch(error => {
      const reason = error instanceof Refusal ? error.sentence : String(error)
      throw new NotAsNarrated(
        `scene ${number} of ${titles.length} ("${title}") did not go as narrated: ${reason}`,
      )
    })
    if (number < titles.length) await pace.rest()
    return made
  }
}
