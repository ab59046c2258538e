import { isUtf8 } from 'node:buffer'
import { readFileBytes } from '../../../shared/util/read-file.js'
import { DIALECT_VERSIONS, type DialectVersion, NEWEST_VERSION } from './dialect-version.js'
import { readIntercept } from './intercept.js'
import { Place } from './located-value.js'
import type { Dialect, Policy, PolicyReading } from './model.js'
import { readJsonText } from './parse-json.js'
import { readYamlText } from './parse-yaml.js'
import { readPolicyLayer } from './policylayer.js'
import { entryOf, Findings, type Located, PolicyRefusal } from './problems.js'
import { readPage } from './tool-page.js'

/** Maximum length of the text of a policy, in characters. Real policies are much shorter. */
const MAX_CHARS = 256 * 1024

/** Maximum depth of nested brackets and braces. */
const MAX_DEPTH = 64

/**
 * Maximum indentation in columns. It limits the depth of YAML, which needs one more column for each level.
 */
const MAX_INDENT = 128

/**
 * Detects the dialect of a policy by keys that only one dialect has. If there are no such keys, JSON is read
 * as PolicyLayer and YAML as Intercept.
 *
 * @param isJson true if the text was parsed as JSON
 */
function dialectOf(root: Located, isJson: boolean): Dialect {
  const tools = entryOf(root, 'tools')
  const bodies = tools?.kind === 'map' ? tools.entries.map(({ value }) => value) : []
  const hasRules = bodies.some(body => entryOf(body, 'rules') !== undefined)
  const hasLists = bodies.some(body =>
    ['limits', 'deny_if', 'require', 'approve'].some(key => entryOf(body, key) !== undefined),
  )
  if (hasRules && !(hasLists && isJson)) {
    const asOnPages = bodies.some(body => rulesOf(body).some(isPageRule))
    return entryOf(root, 'version') === undefined && asOnPages ? 'policylayer-page' : 'intercept'
  }
  return hasLists || entryOf(root, 'all_tools') !== undefined || isJson ? 'policylayer' : 'intercept'
}

function rulesOf(body: Located): readonly Located[] {
  const rules = entryOf(body, 'rules')
  return rules?.kind === 'list' ? rules.items : []
}

/**
 * Returns whether a rule has the form of the tool pages. Such a rule has no name. It has a reason, a
 * `rate_limit` with `max` and `window`, or the action `allow` or `require_approval`.
 */
function isPageRule(rule: Located): boolean {
  if (entryOf(rule, 'name') !== undefined) return false
  const action = entryOf(rule, 'action')
  const word = action?.kind === 'scalar' ? action.value : undefined
  return (
    word === 'allow' ||
    word === 'require_approval' ||
    entryOf(rule, 'reason') !== undefined ||
    entryOf(rule, 'rate_limit')?.kind === 'map'
  )
}

const READERS: Record<Dialect, (root: Place) => Policy | undefined> = {
  intercept: readIntercept,
  policylayer: readPolicyLayer,
  'policylayer-page': readPage,
}

/**
 * Reads a policy of any dialect. If any part of the text is not understood, the whole policy is refused.
 *
 * @param fileName the name of the file, for messages. If it ends with `.json`, `.yaml` or `.yml`, the ending
 *   decides how the text is parsed. Otherwise, a text that begins with `{` is JSON, and any other text is
 *   YAML
 * @param version the version of Intercept's language. It does not matter for a policy of PolicyLayer
 * @throws PolicyRefusal with all problems, each with its line, key and remedy
 */
export function readPolicy(
  text: string,
  fileName: string,
  version: DialectVersion = NEWEST_VERSION,
): PolicyReading {
  const findings = new Findings(version)
  const source = text.startsWith('\ufeff') ? text.slice(1) : text
  const isJson = isMeantAsJson(source, fileName)
  const parse = isJson ? readJsonText : readYamlText
  const root = checkSize(source, findings) ? parse(source, findings) : undefined
  if (root?.kind !== 'map') {
    findings.settle(fileName)
    throw new PolicyRefusal(fileName, [
      {
        line: root?.line ?? 1,
        key: '',
        message: 'the text is not a map',
        remedy: 'write keys such as version, default and tools',
      },
    ])
  }
  const dialect = dialectOf(root, isJson)
  const policy = READERS[dialect](new Place(root, '', findings))
  findings.settle(fileName)
  if (policy === undefined) throw new Error('a policy was neither read nor refused')
  if (dialect === 'policylayer' && !isJson) {
    const message = 'This is a policy of PolicyLayer in YAML, but PolicyLayer accepts only JSON'
    findings.warn({ code: 'policylayer_yaml', level: 'warning', message, line: root.line })
  }
  const versions =
    dialect === 'policylayer'
      ? { version: null, needs: null }
      : { version, needs: findings.needed ?? DIALECT_VERSIONS[0] }
  return { dialect, ...versions, policy, warnings: findings.warnings }
}

function isMeantAsJson(text: string, fileName: string): boolean {
  const [, extension] = /\.(json|ya?ml)$/i.exec(fileName) ?? []
  return extension === undefined ? text.trimStart().startsWith('{') : extension.toLowerCase() === 'json'
}

/**
 * Reports a problem and returns false if a text is too long or nested too deeply for a parser. Brackets in
 * strings also count, because no real policy has so many.
 */
function checkSize(text: string, findings: Findings): boolean {
  if (text.length > MAX_CHARS) {
    findings.refuse(1, '', `the text has ${text.length} characters`, `a policy has at most ${MAX_CHARS}`)
    return false
  }
  let depth = 0
  for (const [index, line] of text.split('\n').entries()) {
    for (const char of line) {
      if (char === '[' || char === '{') depth++
      else if ((char === ']' || char === '}') && depth > 0) depth--
      if (depth > MAX_DEPTH) return tooDeep(index + 1, findings)
    }
    if (indentOf(line) > MAX_INDENT) return tooDeep(index + 1, findings)
  }
  return true
}

/**
 * Returns the number of columns before the first word of a line. Dashes, question marks and colons count like
 * spaces, because they can also begin a level in YAML.
 */
function indentOf(line: string): number {
  return /^[\s?:-]*/.exec(line)?.[0].length ?? 0
}

function tooDeep(line: number, findings: Findings): false {
  findings.refuse(
    line,
    '',
    `nests more than ${MAX_DEPTH} levels deep, or is indented by more than ${MAX_INDENT} columns`,
    'a policy needs no more than seven levels',
  )
  return false
}

/**
 * Returns the text of a policy file.
 *
 * @throws PolicyRefusal if the bytes are not UTF-8. Different parsers would read such bytes differently
 */
export function policyText(bytes: Buffer, fileName: string): string {
  if (isUtf8(bytes)) return bytes.toString('utf8')
  let line = 1
  let start = 0
  // No UTF-8 sequence contains a line end, so each line can be checked separately.
  for (let end = bytes.indexOf('\n'); end >= 0 && isUtf8(bytes.subarray(start, end)); line++) {
    start = end + 1
    end = bytes.indexOf('\n', start)
  }
  throw new PolicyRefusal(fileName, [
    { line, key: '', message: 'has bytes that are not UTF-8', remedy: 'save the file as UTF-8' },
  ])
}

/**
 * Reads the policy in a file.
 *
 * @param version the version of Intercept's language. Default: the newest
 * @throws Refusal `policy_file` if the file cannot be read
 * @throws PolicyRefusal with all problems of the policy
 */
export async function readPolicyFile(path: string, version?: DialectVersion): Promise<PolicyReading> {
  return readPolicy(policyText(readFileBytes(path, 'policy', 'policy_file'), path), path, version)
}
