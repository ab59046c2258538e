/** The parameters of a start-up message that are not run-time settings. */
const NOT_SETTINGS = new Set(['user', 'database', 'replication', 'options'])

/**
 * Matches `-c name=value` and `--name=value` in the parameter `options`. A backslash makes a space part of
 * the value.
 */
const OPTION_IN_TEXT = /(?:^|\s)(?:-c\s*|--)([\w.-]+)=((?:\\.|[^\s\\])*)/g

/**
 * Reads the run-time settings in a start-up message and in its parameter `options`.
 *
 * @returns values by name
 */
export function startupSettings(parameters: Map<string, string>): Map<string, string> {
  const settings = new Map<string, string>()
  for (const [, name, value] of (parameters.get('options') ?? '').matchAll(OPTION_IN_TEXT))
    if (name !== undefined && value !== undefined)
      settings.set(name.replaceAll('-', '_').toLowerCase(), value.replaceAll(/\\(.)/g, '$1'))
  for (const [name, value] of parameters) if (!NOT_SETTINGS.has(name)) settings.set(name, value)
  // UTF-8 is the default, and most drivers send it. Without this line, it would be set again for every batch.
  if (/^utf-?8$/i.test(settings.get('client_encoding') ?? '')) settings.delete('client_encoding')
  return settings
}

/**
 * Matches the tags of commands that may change settings. Any other statement can change settings only by
 * `set_config`, which is found in the SQL.
 */
const CHANGING_TAG = /^(SET|RESET|DISCARD ALL|DO|CALL|ROLLBACK)\b/
const CHANGING_FUNCTION = /set_config/i

/**
 * Matches the names of custom settings, which contain a dot. `pg_settings` does not list them, so their names
 * are taken from the SQL of the client.
 */
const CUSTOM_SETTING =
  /\bset\s+(?:session\s+|local\s+)?([a-z_][\w$]*\.[\w$.]+)|set_config\s*\(\s*'([a-z_][\w$]*\.[\w$.]+)'/gi

/** Settings that are not saved: the session itself sets the first, and the second cannot be set. */
const NEVER_SAVED = "('session_authorization', 'is_superuser')"

/** Keeps the run-time settings (GUCs) of one client while another client uses the session. */
export class Settings {
  /** The saved settings, by name. They are applied when the client gets the session lock. */
  #values: Map<string, string>
  readonly #custom = new Set<string>()
  #changed = false
  /**
   * True until the settings of the start-up message are applied for the first time. An invalid one ends the
   * connection.
   */
  #startupUnchecked: boolean

  /** @param startup the settings in the client's start-up message, by name */
  constructor(startup: Map<string, string>) {
    this.#values = new Map(startup)
    this.#startupUnchecked = startup.size > 0
  }

  /** True if all settings of the client are the defaults. */
  get areDefaults(): boolean {
    return this.#values.size === 0 && !this.#changed
  }

  /** True if settings may have changed since they were last saved. */
  get changed(): boolean {
    return this.#changed
  }

  /** True until the settings of the start-up message are applied for the first time. */
  get startupUnchecked(): boolean {
    return this.#startupUnchecked
  }

  /** Records which settings the SQL of a batch may change. Call it before the batch runs. */
  noteSql(sql: string): void {
    if (CHANGING_FUNCTION.test(sql)) this.#changed = true
    for (const [, set, config] of sql.matchAll(CUSTOM_SETTING)) {
      const name = set ?? config
      if (name !== undefined) this.#custom.add(name.toLowerCase())
    }
  }

  /** Records that a command has completed. @param tag its command tag, such as `SET` */
  noteCompleted(tag: string): void {
    if (CHANGING_TAG.test(tag)) this.#changed = true
  }

  /** SQL that lists the settings to save. Its rows have a name and a value. */
  get listSql(): string {
    const custom = [...this.#custom].map(
      name => `SELECT ${literal(name)}, current_setting(${literal(name)}, true)`,
    )
    return [
      `SELECT name, setting FROM pg_settings WHERE source = 'session' AND name NOT IN ${NEVER_SAVED}`,
      ...custom,
      // The role comes last, because it is then set last. Another role may lack the right to set the others.
      `SELECT 'role', current_setting('role')`,
    ].join(' UNION ALL ')
  }

  /** Saves the settings. @param rows the result of {@link listSql} */
  save(rows: readonly (string | null)[][]): void {
    this.#values = new Map()
    for (const [name, value] of rows)
      if (typeof name === 'string' && typeof value === 'string' && !(name === 'role' && value === 'none'))
        this.#values.set(name, value)
    this.#changed = false
  }

  /** SQL that applies the saved settings. Undefined if no settings are saved. */
  get restoreSql(): string | undefined {
    if (this.#values.size === 0) return undefined
    const calls = [...this.#values].map(
      ([name, value]) => `set_config(${literal(name)}, ${literal(value)}, false)`,
    )
    return `SELECT ${calls.join(', ')}`
  }

  /** Records that the engine has accepted the settings of the start-up message. */
  startupAccepted(): void {
    this.#startupUnchecked = false
  }
}

/** Returns a string constant for SQL. It is valid with both values of `standard_conforming_strings`. */
function literal(text: string): string {
  return ` E'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
}
