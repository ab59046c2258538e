/** Start-up parameters that are not settings. */
const NOT_SETTINGS = new Set(['user', 'database', 'replication', 'options'])

/** `-c name=value` or `--name=value`, a backslash keeping the next character from ending a word. */
const OPTION = /(?:^|\s)(?:-c\s*|--)([\w.-]+)=((?:\\.|[^\s\\])*)/g

/** @returns the settings a start-up message asks for, its `options` included, by name */
export function startupSettings(parameters: Map<string, string>): Map<string, string> {
  const settings = new Map<string, string>()
  for (const [, name, value] of (parameters.get('options') ?? '').matchAll(OPTION))
    if (name !== undefined && value !== undefined)
      settings.set(name.replaceAll('-', '_').toLowerCase(), value.replaceAll(/\\(.)/g, '$1'))
  for (const [name, value] of parameters) if (!NOT_SETTINGS.has(name)) settings.set(name, value)
  // What most drivers ask for, and what is anyway: not worth putting back at every turn.
  if (/^utf-?8$/i.test(settings.get('client_encoding') ?? '')) settings.delete('client_encoding')
  return settings
}

/** Command tags after which settings may differ; a function that calls `set_config` is seen by its name in the text. */
const CHANGES = /^(SET|RESET|DISCARD ALL|DO|CALL|ROLLBACK)\b/
const IN_TEXT = /set_config/i

/** Names with a dot are not in `pg_settings`; they are known from having been mentioned. */
const CUSTOM =
  /\bset\s+(?:session\s+|local\s+)?([a-z_][\w$]*\.[\w$.]+)|set_config\s*\(\s*'([a-z_][\w$]*\.[\w$.]+)'/gi

/** Set by the gateway itself, or never settable. */
const OWN = "('session_authorization', 'is_superuser')"

/** One client's run-time settings (GUCs), kept for it while another client uses the session. */
export class Settings {
  /** What to set when the client's turn comes; undefined values are none of ours. */
  #values: Map<string, string>
  readonly #custom = new Set<string>()
  #changed = false
  /** Parameters of the start-up message that have not been tried yet: a bad one ends the connection. */
  #untried: boolean

  /** @param startup the client's start-up parameters that are settings */
  constructor(startup: Map<string, string>) {
    this.#values = new Map(startup)
    this.#untried = startup.size > 0
  }

  /** Nothing differs from what a fresh session has. */
  get plain(): boolean {
    return this.#values.size === 0 && !this.#changed
  }

  get changed(): boolean {
    return this.#changed
  }

  get untried(): boolean {
    return this.#untried
  }

  /** A batch is about to run. */
  mentions(sql: string): void {
    if (IN_TEXT.test(sql)) this.#changed = true
    for (const [, set, config] of sql.matchAll(CUSTOM)) {
      const name = set ?? config
      if (name !== undefined) this.#custom.add(name.toLowerCase())
    }
  }

  /** A command has completed. */
  completed(tag: string): void {
    if (CHANGES.test(tag)) this.#changed = true
  }

  /** SQL that lists what to keep, as name and value. */
  get listing(): string {
    const custom = [...this.#custom].map(
      name => `SELECT ${literal(name)}, current_setting(${literal(name)}, true)`,
    )
    return [
      `SELECT name, setting FROM pg_settings WHERE source = 'session' AND name NOT IN ${OWN}`,
      ...custom,
      // Last, so that it is set last: afterwards the rights may be fewer.
      `SELECT 'role', current_setting('role')`,
    ].join(' UNION ALL ')
  }

  /** @param rows what `listing` answered */
  keep(rows: readonly (string | null)[][]): void {
    this.#values = new Map()
    for (const [name, value] of rows)
      if (typeof name === 'string' && typeof value === 'string' && !(name === 'role' && value === 'none'))
        this.#values.set(name, value)
    this.#changed = false
  }

  /** SQL that puts the kept settings in force, or undefined if there are none. */
  get restoring(): string | undefined {
    if (this.#values.size === 0) return undefined
    const calls = [...this.#values].map(
      ([name, value]) => `set_config(${literal(name)}, ${literal(value)}, false)`,
    )
    return `SELECT ${calls.join(', ')}`
  }

  /** The start-up parameters were accepted. */
  tried(): void {
    this.#untried = false
  }
}

/** A string constant that means the same whatever `standard_conforming_strings` says. */
function literal(text: string): string {
  return ` E'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
}
