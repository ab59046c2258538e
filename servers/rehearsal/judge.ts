import { isDeepStrictEqual } from 'node:util'
import { MetaKey } from '../../shared/mcp/revisions.js'
import { defined, isObject } from '../../shared/util/objects.js'
import { shown } from '../../shared/util/shown.js'
import { POLICY_META } from '../gateway/messages.js'
import { denialIn, denialText, formOf } from './denial.js'
import { type CallRecord, type Expectation, succeeded } from './record.js'
import type { Answer } from './via/caller.js'

/** The facts about the whole rehearsal that the checks of a call use. */
export interface JudgeContext {
  /** Whether a denial by the gateway names the rule. */
  readonly namesRules: boolean
  /** Whether callers use tokens of the gateway. The upstream does not accept these tokens. */
  readonly knowsCallers: boolean
  /** The credentials that reached the upstream. */
  readonly credentials: ReadonlySet<string>
  /** The first account of each caller at the upstream, by the name of the caller. */
  readonly accounts: ReadonlyMap<string, string>
}

/**
 * Returns the problem of a call in words. The words continue a sentence whose subject is the call. Null if
 * there is no problem.
 */
type Check = (record: CallRecord, context: JudgeContext) => string | null

/**
 * The checks of a call, by name. The report shows only the first problem.
 *
 * Tests switch off one check at a time, to prove that no other check finds the same problem.
 */
export const CALL_CHECKS = {
  /** The scenario and the policy expect the same outcome. */
  meaning({ scenarioExpected, expected }) {
    if (scenarioExpected === undefined || scenarioExpected.unsure) return null
    if (scenarioExpected.outcome === expected.outcome) return null
    const words = (expectation: Expectation) =>
      'rule' in expectation ? `${expectation.outcome} (${expectation.rule})` : expectation.outcome
    return `the scenario expects ${words(scenarioExpected)}, and the policy says ${words(expected)}`
  },

  /** An allowed call reaches the upstream. */
  reach(record) {
    const { call, expected, arrived, answer, refusedBatch } = record
    if (expected.outcome !== 'allow' || arrived.length > 0 || refusedBatch) return null
    // A gateway may refuse every tools/call without an id, because such a call is not a valid request.
    if (call.notification === true) return null
    const denial = denialIn(answer)
    const text = denial === undefined || ruleIn(answer) !== undefined ? '' : denialText(denial)
    return `is allowed, but it did not reach the upstream: ${sawInCall(record)}${text}`
  },

  /** An allowed call reaches the upstream at most once. */
  once({ expected, arrived, late }) {
    const count = arrived.length + late.length
    if (expected.outcome !== 'allow' || count <= 1) return null
    return `is one call, and reached the upstream ${count} times`
  },

  /** An allowed call reaches the upstream as a call of the same tool. */
  tool({ call, expected, arrived: [request] }) {
    if (expected.outcome !== 'allow' || request === undefined || request.entry.tool === call.tool) return null
    return `reached the upstream as a call of ${request.entry.tool}`
  },

  /** An allowed call reaches the upstream with the same arguments. */
  arguments({ call, expected, argsHash, arrived: [request] }) {
    if (expected.outcome !== 'allow' || request === undefined || request.entry.tool !== call.tool) return null
    return request.entry.argsHash === argsHash ? null : 'reached the upstream with other arguments'
  },

  /** A denied call does not reach the upstream. */
  denial({ expected, arrived }) {
    if (expected.outcome === 'allow' || arrived.length === 0) return null
    return `${deniedBy(expected)}, but it reached the upstream`
  },

  /** After a denied call was answered, it does not reach the upstream. */
  delay({ expected, arrived, late: [request] }) {
    if (expected.outcome === 'allow' || arrived.length > 0 || request === undefined) return null
    return `${deniedBy(expected)}, but it reached the upstream later`
  },

  /** The answer to a denied call says that the call was denied. */
  notice({ call, expected, answer, batched }) {
    if (expected.outcome === 'allow') return null
    if (succeeded(answer)) return `${deniedBy(expected)}, but its caller got a result`
    if (call.notification === true || denialIn(answer) !== undefined) return null
    if ((batched || isMalformed(call)) && answer.kind === 'http' && answer.status >= 400) return null
    return `${deniedBy(expected)}, but its answer does not say so: ${sawOf(answer)}`
  },

  /** The builtin gateway denies a call by the same rule as the rehearsal's decision engine. */
  rule({ expected, answer }, { namesRules }) {
    if (!namesRules || expected.outcome !== 'deny') return null
    const rule = ruleIn(answer)
    if (rule === undefined || rule === expected.rule) return null
    return `${deniedBy(expected)}, but ${rule} denied it`
  },

  /** An answer has the id of its request. */
  id({ id, answer, arrived }) {
    if (id === undefined || answer.kind !== 'response') return null
    const { message } = answer
    if (message.id === id) return null
    // In JSON-RPC, an error that answers a malformed request has the id null.
    if (message.id == null && 'error' in message && arrived.length === 0) return null
    return `was answered under the id ${shown(message.id)} instead of ${id}`
  },

  /** The caller of an allowed call gets the answer that the upstream gave. */
  answer(record) {
    const { call, expected, answer, arrived } = record
    const [request] = arrived
    if (expected.outcome !== 'allow' || request === undefined || call.notification === true) return null
    if (answer.kind === 'nothing') return `reached the upstream, and its caller got no answer: ${answer.why}`
    if (call.failure === 'http_error') {
      return succeeded(answer) ? 'failed at the upstream, and its caller got a result' : null
    }
    if (answer.kind === 'http') return `reached the upstream, and its caller got ${sawOf(answer)}`
    const given = arrived.flatMap(({ answer: upstream }) => (upstream === undefined ? [] : [upstream]))
    if (given.length === 0) return null
    const different = given.map(upstream => difference(upstream, answer.message))
    return different.includes(null) ? null : `reached the upstream, and its caller got ${different[0]}`
  },

  /** An HTTP answer with a result has a success status. */
  status({ expected, answer, arrived }) {
    if (expected.outcome !== 'allow' || arrived.length === 0 || answer.kind !== 'response') return null
    if (answer.status === undefined || answer.status < 300 || !('result' in answer.message)) return null
    return `was answered with a result and HTTP ${answer.status}`
  },

  /**
   * The upstream accepts the credential of the call. If callers use tokens of the gateway, the gateway has to
   * add a credential for the upstream.
   */
  credential({ arrived }, { knowsCallers }) {
    const text = arrived.map(({ answer }) => JSON.stringify(answer ?? null)).join()
    if (text.includes(': the token is not valid'))
      return 'reached the upstream with a credential that it refuses: the token is not valid'
    if (knowsCallers && text.includes('this tool needs an account'))
      return 'reached the upstream without a credential: this tool needs an account'
    return null
  },

  /** The caller does not see the upstream's credential. */
  secrecy({ answer, arrived }, { credentials }) {
    const seen = textOf(answer)
    const own = JSON.stringify(arrived.map(request => request.answer ?? null))
    const secret = [...credentials].find(text => seen.includes(text) && !own.includes(text))
    return secret === undefined ? null : "showed its caller the upstream's credential"
  },

  /** All calls of a caller reach the upstream with the same account. */
  account({ call, server, arrived }, { accounts }) {
    if (server !== 'instanode') return null
    const usual = accounts.get(call.as)
    const other = arrived.find(({ entry }) => entry.caller !== usual)
    if (usual === undefined || other === undefined) return null
    return `reached the upstream as ${other.entry.caller}, and earlier calls of the same caller as ${usual}`
  },
} satisfies Record<string, Check>

export type CallCheck = keyof typeof CALL_CHECKS

/** Judges a call. @returns the first problem in words, or null */
export function judgeCall(
  record: CallRecord,
  context: JudgeContext,
  off: ReadonlySet<string>,
): string | null {
  for (const [name, check] of Object.entries<Check>(CALL_CHECKS)) {
    const why = off.has(name) ? null : check(record, context)
    if (why !== null) return why
  }
  return null
}

/** Returns the first account of each caller at Instanode, by the name of the caller. */
export function accountsOf(records: readonly CallRecord[]): Map<string, string> {
  const accounts = new Map<string, string>()
  for (const { call, server, arrived } of records) {
    const caller = arrived[0]?.entry.caller
    if (server === 'instanode' && caller !== undefined && !accounts.has(call.as))
      accounts.set(call.as, caller)
  }
  return accounts
}

function deniedBy(expected: CallRecord['expected']): string {
  const asks = expected.outcome === 'approve'
  if (!('rule' in expected)) return asks ? 'must need approval' : 'must be denied'
  return `${asks ? 'needs approval' : 'is denied'} by ${expected.rule}`
}

/**
 * Returns whether a request is malformed. A gateway may reject such a request with any HTTP error before it
 * applies a rule.
 */
function isMalformed({ session, args }: CallRecord['call']): boolean {
  return session === 'none' || !isObject(args)
}

/**
 * Describes how the answer that the caller saw differs from the upstream's answer. Null if it does not
 * differ.
 */
function difference(upstream: Record<string, unknown>, seen: Record<string, unknown>): string | null {
  if ('error' in upstream) {
    if (isDeepStrictEqual(upstream.error, seen.error)) return null
    return 'error' in seen
      ? "a different JSON-RPC error than the upstream's"
      : "a result instead of the upstream's JSON-RPC error"
  }
  const { result } = seen
  if (isDeepStrictEqual(upstream.result, result)) return null
  if (!isObject(result)) {
    return `${sawOf({ kind: 'response', message: seen, others: [] })} instead of the upstream's result`
  }
  if (!isObject(upstream.result)) return "a different result than the upstream's"
  const given = withoutFreeMembers(upstream.result, () => false)
  const had = isObject(upstream.result._meta) ? upstream.result._meta : {}
  const passed = withoutFreeMembers(
    result,
    name => !(name in had) && name.includes('/') && !RESERVED.test(name),
  )
  const names = [...new Set([...Object.keys(given), ...Object.keys(passed)])]
  const changed = names.filter(name => !isDeepStrictEqual(given[name], passed[name]))
  if (changed.length === 0) return null
  return `a different result than the upstream's: ${changed.join(', ')} ${changed.length === 1 ? 'differs' : 'differ'}`
}

/**
 * Matches the prefixes of `_meta` names that MCP reserves. The second label of such a prefix is `mcp` or
 * `modelcontextprotocol`.
 */
const RESERVED = /^[^./]+\.(?:mcp|modelcontextprotocol)[./]/

/**
 * Returns a result without the members that a gateway is free to add or leave out.
 *
 * These are members with their default value, the name of the server, and the gateway's own members of
 * `_meta`. They can differ, because a gateway and its upstream can speak different revisions.
 *
 * @param isOwn returns whether a member of `_meta` belongs to the gateway. The prefix of the member's name
 *   decides
 */
function withoutFreeMembers(
  { _meta, isError, resultType, ...rest }: Record<string, unknown>,
  isOwn: (name: string) => boolean,
): Record<string, unknown> {
  return {
    ...rest,
    ...defined({
      isError: isError === false ? undefined : isError,
      resultType: resultType === 'complete' ? undefined : resultType,
      _meta: isObject(_meta) ? without(_meta, name => name === MetaKey.server || isOwn(name)) : _meta,
    }),
  }
}

/** Returns an object without the members that `isDropped` selects. Undefined if all members are dropped. */
function without(
  object: Record<string, unknown>,
  isDropped: (name: string) => boolean,
): Record<string, unknown> | undefined {
  const entries = Object.entries(object)
  const kept = entries.filter(([name]) => !isDropped(name))
  return kept.length === 0 && entries.length > 0 ? undefined : Object.fromEntries(kept)
}

/** Returns all parts of an answer that a caller can see, joined into one text. */
function textOf(answer: Answer): string {
  if (answer.kind === 'nothing') return answer.why
  const headers = JSON.stringify(answer.headers ?? {})
  if (answer.kind === 'http') return `${headers} ${answer.text}`
  return `${headers} ${JSON.stringify(answer.message)} ${JSON.stringify(answer.others)}`
}

/** Describes an answer as its caller saw it. */
export function sawOf(answer: Answer): string {
  if (answer.kind === 'nothing') return answer.why
  if (answer.kind === 'http') return `HTTP ${answer.status}`
  const { error, result } = answer.message
  if (isObject(error)) return `JSON-RPC error ${String(error.code)}`
  if (!isObject(result)) return `no result, but ${shown(result)}`
  return result.isError === true ? 'a tool error' : 'a result'
}

/**
 * Describes the answer to a call as its caller saw it. Describes an error as a denial if the call did not
 * reach the upstream.
 */
export function sawInCall({ answer, arrived }: CallRecord): string {
  const denial = arrived.length === 0 ? denialIn(answer) : undefined
  return denial === undefined ? sawOf(answer) : `denied: ${ruleIn(answer) ?? formOf(denial)}`
}

/** Returns the rule that a denial by the builtin gateway names. Undefined for other answers. */
function ruleIn(answer: Answer): string | undefined {
  if (answer.kind !== 'response' || !isObject(answer.message.result)) return undefined
  const { _meta } = answer.message.result
  const policy = isObject(_meta) ? _meta[POLICY_META] : undefined
  return isObject(policy) && typeof policy.rule === 'string' ? policy.rule : undefined
}
