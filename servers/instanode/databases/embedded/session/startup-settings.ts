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
