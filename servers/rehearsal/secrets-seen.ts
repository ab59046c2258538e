import { secretsIn } from '../../shared/util/secrets.js'

/** The secrets that went through a gateway, by tool. */
export class SecretsSeen {
  readonly #seen = new Map<string, Set<string>>()

  note(tool: string, way: 'arguments' | 'results', value: unknown): void {
    for (const what of secretsIn(JSON.stringify(value) ?? '')) {
      const passes = `${way} carry ${what}`
      this.#seen.set(passes, (this.#seen.get(passes) ?? new Set()).add(tool))
    }
  }

  /** `results carry a database URL …: create_postgres`. */
  sentences(): string[] {
    return [...this.#seen].map(([passes, tools]) => `${passes}, as seen here: ${[...tools].join(', ')}`)
  }
}
