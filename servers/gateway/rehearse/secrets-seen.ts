/** What a secret looks like in what passes by. */
const SECRETS: readonly (readonly [what: string, pattern: RegExp])[] = [
  ['a database URL with its password', /postgres(ql)?:\/\/[^\s:/@"]+:[^\s@"]+@/],
  ['a JSON web token', /\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]+/],
  ['the key of a room', /#k=[\w-]{16,}/],
  ['the token of a resource', /"token":\s*"[0-9a-f]{8}-[0-9a-f]{4}-/],
]

/** The secrets that went through a gateway, by tool. */
export class SecretsSeen {
  readonly #seen = new Map<string, Set<string>>()

  note(tool: string, way: 'arguments' | 'results', value: unknown): void {
    const text = JSON.stringify(value) ?? ''
    // What is text within JSON has its quotes escaped.
    const plain = text.replaceAll('\\"', '"')
    for (const [what, pattern] of SECRETS) {
      if (!pattern.test(plain)) continue
      const passes = `${way} carry ${what}`
      this.#seen.set(passes, (this.#seen.get(passes) ?? new Set()).add(tool))
    }
  }

  /** `results carry a database URL …: create_postgres`. */
  sentences(): string[] {
    return [...this.#seen].map(([passes, tools]) => `${passes}, as seen here: ${[...tools].join(', ')}`)
  }
}
