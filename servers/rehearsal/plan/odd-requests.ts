import type { ServerName } from '../../../shared/util/known-tools.js'
import { knownTool } from '../../gateway/policy/known-tools.js'
import type { Policy } from '../../gateway/policy/model.js'
import { LONG_TEXT_CHARS } from '../stage/fixtures.js'
import { fullArguments, isOpen, passingArguments, type Sample, withValue } from './arguments.js'
import { type CallsStep, type Group, one, type PlannedCall, type Step } from './step.js'

/** The name of an argument that accepts any text, by tool. */
const FREE_TEXTS: Readonly<Record<string, string>> = {
  create_postgres: 'name',
  create_webhook: 'name',
  send_message: 'text',
  wait_for_messages: 'name',
}

/**
 * Texts that a gateway may change when it forwards them, e.g. by trimming, escaping or Unicode normalisation.
 */
const UNUSUAL_TEXTS = [
  ' blanks at both ends ',
  'a line\nand\r\nanother\tone',
  'precomposed \u00e9, decomposed e\u0301, ligature \ufb01, full width \uff41',
  'emoji \u{1f600}, no width \u200b, right to left \u05d0',
  '<b title="x">&amp; \'quoted\'</b>',
  'backslash \\n, percent %20, plus +, dollar $$1',
  'MiXeD cApItAlS',
  '007',
  'null',
  '{"json":["in","a","text"]}',
  'long '.repeat(4000),
]

export interface OddPlanning {
  policy: Policy
  server: ServerName
  /** The tools of the stand-ins and of the policy. */
  tools: readonly string[]
  sample: Sample
  /** Whether a caller can have several sessions. */
  sessions: boolean
}

/**
 * Plans requests that clients seldom make.
 *
 * Some are calls that have to be allowed, with all arguments or with unusual texts. The other calls have to
 * be denied, and have a form that a gateway may fail to judge.
 */
export function oddGroup({ policy, server, tools, sample, sessions }: OddPlanning): Group {
  const own = tools.filter(tool => (knownTool(tool)?.server ?? server) === server)
  const open = own.find(tool => isOpen(policy, tool) && tool !== 'create_postgres')
  const shut = own.find(tool => !isOpen(policy, tool)) ?? 'no_such_tool'
  const call = (tool: string): PlannedCall => ({
    tool,
    args: passingArguments(policy, tool, sample),
    as: 'agent',
  })
  const others = (more: Partial<PlannedCall>, say: string): Step[] =>
    [...(open === undefined ? [] : [open]), shut].map(tool => one({ ...call(tool), ...more }, say))
  const batch = [shut, ...(open === undefined ? [] : [open]), shut].map(call)
  const known = own.filter(tool => isOpen(policy, tool) && knownTool(tool) !== undefined)
  const steps: Step[] = [
    ...known.map(tool => unusualTexts(call(tool))),
    one({ ...call(open ?? shut), args: ['not an object'] }, 'with a list for arguments'),
    one({ ...call(open ?? shut), args: 'not an object' }, 'with a text for arguments'),
    one({ ...call(shut), args: undefined }, 'without arguments'),
    one({ ...call(shut), args: null }, 'with null for arguments'),
    one({ ...call(shut), args: { note: '$long_text' } }, `with ${LONG_TEXT_CHARS} characters`),
    ...others({ id: 'seven' }, 'under an id that is a text'),
    ...others({ id: 0 }, 'under the id 0'),
    ...(sessions ? [one({ ...call(shut), session: 'none' }, 'without a session')] : []),
    { calls: batch, sending: 'as a batch', say: `a batch: ${batch.map(({ tool }) => tool).join(', ')}` },
  ]
  return { title: `${server}: unusual requests`, fresh: true, steps }
}

/**
 * Plans calls of a tool with all its arguments, some of them with unusual texts. The upstream fails these
 * calls, so they change nothing.
 */
function unusualTexts({ tool, args, as }: PlannedCall): CallsStep {
  const full = { ...fullArguments(tool), ...(typeof args === 'object' ? args : {}) }
  const name = FREE_TEXTS[tool]
  const texts = name === undefined ? [] : UNUSUAL_TEXTS
  const all = [full, ...texts.map(text => withValue(full, [name ?? ''], text))]
  return {
    calls: all.map(each => ({ tool, args: each, as, failure: 'rpc_error' })),
    sending: 'in turn',
    say: `${tool}, with all its arguments${texts.length > 0 ? `, and ${texts.length} unusual texts` : ''}`,
  }
}

/**
 * Returns names that a gateway may mistake for `tool`, if the gateway compares names loosely.
 *
 * A loose comparison ignores case, trims names, normalises Unicode, or compares only a part of the name.
 */
export function similarNames(tool: string): string[] {
  const [first = ''] = tool
  return [
    tool.toUpperCase(),
    first.toUpperCase() + tool.slice(1),
    ` ${tool}`,
    `${tool} `,
    `${tool}\n`,
    `\t${tool}`,
    `${tool}\u00a0`,
    `${tool}\u200b`,
    `\ufeff${tool}`,
    `${tool}\0`,
    // Compatibility normalisation (NFKC) turns full-width letters into ASCII letters.
    fullWidth(first) + tool.slice(1),
    tool.replaceAll('_', '\uff3f'),
    // If a gateway removes combining marks, this letter becomes an ASCII letter.
    `${tool.slice(0, -1)}${tool.slice(-1)}\u0301`,
    tool.replaceAll('_', '-'),
    tool.replaceAll('_', ''),
    `${tool}_all`,
    `my_${tool}`,
    tool.slice(0, -1),
  ].filter((name, index, names) => name !== tool && names.indexOf(name) === index)
}

function fullWidth(letter: string): string {
  const code = letter.charCodeAt(0)
  return code > 0x20 && code < 0x7f ? String.fromCharCode(code + 0xfee0) : letter
}
