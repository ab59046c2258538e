/** Start-up parameters that are not settings. */
const NOT_SETTINGS = new Set(['user', 'database', 'replication', 'options'])

/** Matches `-c name=value` and `--name=value`. A character after a backslash does not end a word. */
const OPTION_IN_TEXT = /(?:^|\s)(?:-c\s*|--)([\w.-]+)=((?:\\.|[^\s\\])*)/g

/** @returns the settings in a start-up message and in its `options`, by name */
export function startupSettings(parameters: Map<string, string>): Map<string, string> {
  const settings = new Map<string, string>()
  for (const [, name, value] of (parameters.get('options') ?? '').matchAll(OPTION_IN_TEXT))
    if (name !== undefined && value !== undefined)
      settings.set(name.replaceAll('-', '_').toLowerCase(), value.replaceAll(/\\(.)/g, '$1'))
  for (const [name, value] of parameters) if (!NOT_SETTINGS.has(name)) settings.set(name, value)
  // Most drivers send this, and it is the default. Setting it again for every batch would be wasted.
  if (/^utf-?8$/i.test(settings.get('client_encoding') ?? '')) settings.delete('client_encoding')
  return settings
}

/**
 * Command tags after which settings may differ. A function that calls `set_config` is recognized by that name
 * in the SQL.
 */
const CHANGING_TAG = /^(SET|RESET|DISCARD ALL|DO|CALL|ROLLBACK)\b/
const CHANGING_FUNCTION = /set_config/i

/**
 * Matches the names of custom settings. They contain a dot and are not in `pg_settings`, so they are taken
 * from the SQL.
 */
const CUSTOM_SETTING =
  /\bset\s+(?:session\s+|local\s+)?([a-z_][\w$]*\.[\w$.]+)|set_config\s*\(\s*'([a-z_][\w$]*\.[\w$.]+)'/gi

/** Settings that the session sets itself, or that cannot be set. */
const NEVER_SAVED = "('session_authorization', 'is_superuser')"

/** One client's run-time settings (GUCs). They are saved while another client uses the session. */
export class Settings {
  /** Settings to apply when the client gets the lock, by name. */
  #values: Map<string, string>
  readonly #custom = new Set<string>()
  #changed = false
  /** The start-up parameters have not been applied yet. An invalid one ends the connection. */
  #startupUnchecked: boolean

  /** @param startup the client's start-up parameters that are settings */
  constructor(startup: Map<string, string>) {
    this.#values = new Map(startup)
    this.#startupUnchecked = startup.size > 0
  }

  /** True if the client's settings are the defaults. */
  get areDefaults(): boolean {
    return this.#values.size === 0 && !this.#changed
  }

  get changed(): boolean {
    return this.#changed
  }

  get startupUnchecked(): boolean {
    return this.#startupUnchecked
  }

  /** Records the settings that a batch mentions, before it runs. */
  noteSql(sql: string): void {
    if (CHANGING_FUNCTION.test(sql)) this.#changed = true
    for (const [, set, config] of sql.matchAll(CUSTOM_SETTING)) {
      const name = set ?? config
      if (name !== undefined) this.#custom.add(name.toLowerCase())
    }
  }

  /** Records a completed command. */
  noteCompleted(tag: string): void {
    if (CHANGING_TAG.test(tag)) this.#changed = true
  }

  /** SQL that lists the settings to save, as names and values. */
  get listSql(): string {
    const custom = [...this.#custom].map(
      name => `SELECT ${literal(name)}, current_setting(${literal(name)}, true)`,
    )
    return [
      `SELECT name, setting FROM pg_settings WHERE source = 'session' AND name NOT IN ${NEVER_SAVED}`,
      ...custom,
      // The role comes last, so that it is set last. It may take rights away.
      `SELECT 'role', current_setting('role')`,
    ].join(' UNION ALL ')
  }

  /** @param rows the answer to `listing` */
  save(rows: readonly (string | null)[][]): void {
    this.#values = new Map()
    for (const [name, value] of rows)
      if (typeof name === 'string' && typeof value === 'string' && !(name === 'role' && value === 'none'))
        this.#values.set(name, value)
    this.#changed = false
  }

  /** SQL that applies the saved settings. Undefined if there are none. */
  get restoreSql(): string | undefined {
    if (this.#values.size === 0) return undefined
    const calls = [...this.#values].map(
      ([name, value]) => `set_config(${literal(name)}, ${literal(value)}, false)`,
    )
    return `SELECT ${calls.join(', ')}`
  }

  /** Records that the start-up parameters were accepted. */
  startupAccepted(): void {
    this.#startupUnchecked = false
  }
}

/** Returns a string constant that is valid with any `standard_conforming_strings`. */
function literal(text: string): string {
  return ` E'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
}
