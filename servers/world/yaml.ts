import { parseDocument } from 'yaml'

/**
 * Reads one YAML 1.2 document of plain values: no tags of its own, and no more aliases than a person writes.
 *
 * @throws Error with the line of the first thing that is wrong
 */
export function parseYaml(text: string): unknown {
  const document = parseDocument(text, { schema: 'core', customTags: [], strict: true, uniqueKeys: true })
  const [problem] = [...document.errors, ...document.warnings]
  // Below its first line it draws the place.
  if (problem !== undefined) throw new Error(problem.message.split('\n', 1)[0]?.replace(/:$/, ''))
  return document.toJS({ maxAliasCount: 100 })
}
