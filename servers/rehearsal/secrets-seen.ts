import { secretsIn } from '../../shared/util/secrets.js'

/** Records the kinds of secrets that passed through a gateway, and the tools that carried them. */
export class SecretsSeen {
  readonly #seen = new Map<string, Set<string>>()

  note(tool: string, way: 'arguments' | 'results', value: unknown): void {
    for (const what of secretsIn(JSON.stringify(value) ?? '')) {
      const passes = `${way} carry ${what}`
      this.#seen.set(passes, (this.#seen.get(passes) ?? new Set()).add(tool))
    }
  }

  /**
   * Returns a sentence for each kind of secret, which names the tools, e.g. `results carry a database URL …:
   * create_postgres`.
   */
  sentences(): string[] {
    return [...this.#seen].map(([passes, tools]) => `${passes}, as seen here: ${[...tools].join(', ')}`)
  }
}
