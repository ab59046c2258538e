import {
  createEngine,
  type Decision,
  type Policy,
  type PolicyCall,
} from '#built/servers/gateway/policy/index.js'
import type { Condition, Rule } from '#built/servers/gateway/policy/model.js'
import { isObject } from '#built/shared/util/objects.js'
import type { Hooks } from '../proxy/hooks.js'
import { changedRequests, type GatewayMutant, paramsOf, toolOf, withParams } from './mutant.js'

const CLAIM_TASK = 'policylayer/safebot.claim-task.json'
const MIXED = 'mixed.json'
const APPROVALS = 'approvals.json'
const ALLOW: Decision = { outcome: 'allow', settle: () => undefined }

/** Hooks that judge another call than the one that is forwarded. */
function judgedAs(change: (call: PolicyCall) => PolicyCall): Partial<Hooks> {
  return { decide: (call, next) => next(change(call)) }
}

/** Hooks that ask about a normal form of the tool's name. */
const namedAs = (normal: (name: string) => string) => (): Partial<Hooks> =>
  judgedAs(call => ({ ...call, tool: normal(call.tool) }))

/** Hooks that enforce another policy. */
function enforcing(change: (policy: Policy) => Policy): GatewayMutant['hooks'] {
  return ({ policy, clock }) => ({ engine: () => createEngine(change(policy), clock) })
}

const withRules = (change: (rules: readonly Rule[], tool: string) => readonly Rule[]) =>
  enforcing(policy => ({
    ...policy,
    tools: new Map([...policy.tools].map(([tool, rules]) => [tool, change(rules, tool)])),
  }))

/** Hooks that enforce conditions of another kind. */
const withConditions = (change: (condition: Condition) => Condition) =>
  withRules(rules =>
    rules.map(rule =>
      rule.demand.kind === 'require' || rule.demand.kind === 'forbid'
        ? { ...rule, demand: { ...rule.demand, conditions: rule.demand.conditions.map(change) } }
        : rule,
    ),
  )

/** The policy is asked about another call, or not at all, or its answer is not followed. */
export const JUDGING: readonly GatewayMutant[] = [
  {
    name: 'ignores-notifications',
    does: 'does not judge tools/call without an id',
    hooks: () => ({ judges: message => message.method === 'tools/call' && 'id' in message }),
  },
  {
    name: 'ignores-batches',
    does: 'does not judge the calls of a batch',
    hooks: () => {
      let inBatch = 0
      return {
        async batch(messages, next) {
          inBatch++
          try {
            return await Promise.all(messages.map(next))
          } finally {
            inBatch--
          }
        },
        judges: message => inBatch === 0 && message.method === 'tools/call',
      }
    },
  },
  {
    name: 'judges-first-of-batch',
    does: 'judges the first call of a batch and lets the others pass',
    hooks: () => {
      let rest = false
      return {
        async batch([first, ...others], next) {
          const answer = first === undefined ? undefined : await next(first)
          rest = true
          const answers = await Promise.all(others.map(next))
          rest = false
          return [answer, ...answers]
        },
        judges: message => !rest && message.method === 'tools/call',
      }
    },
  },
  {
    name: 'ignores-case-of-names',
    does: 'compares tool names without regard to case',
    hooks: namedAs(name => name.toLowerCase()),
  },
  {
    name: 'trims-names',
    does: 'compares tool names without white space at either end',
    hooks: namedAs(name => name.trim()),
  },
  {
    name: 'normalizes-names',
    does: 'compares tool names after Unicode normalization NFKC',
    hooks: namedAs(name => name.normalize('NFKC')),
  },
  {
    name: 'strips-invisible-characters',
    does: 'compares tool names without characters that have no width',
    hooks: namedAs(name => name.replace(/\p{Cf}/gu, '')),
  },
  {
    name: 'forwards-normal-names',
    does: 'trims tool names and puts them into lower case, before judging and forwarding',
    hooks: () => {
      const normal = (name: string) => name.trim().toLowerCase()
      return {
        ...judgedAs(call => ({ ...call, tool: normal(call.tool) })),
        ...changedRequests(request => withParams(request, { name: normal(toolOf(request)) })),
      }
    },
  },
  {
    name: 'compares-prefixes-of-names',
    does: 'takes a tool for allowed if its name begins with that of an allowed tool',
    hooks: ({ policy }) =>
      judgedAs(call => ({
        ...call,
        tool: [...policy.tools.keys()].find(tool => call.tool.startsWith(tool)) ?? call.tool,
      })),
  },
  {
    name: 'allows-unnamed-tools',
    does: 'allows tools that the policy does not name',
    policy: CLAIM_TASK,
    hooks: enforcing(policy => ({ ...policy, default: 'allow' })),
  },
  {
    name: 'allows-unknown-tools',
    does: 'allows tools that it has never seen in a list',
    policy: CLAIM_TASK,
    hooks: () => {
      const seen = new Set<unknown>()
      return {
        list({ tools, hides }) {
          for (const { name } of tools) seen.add(name)
          return tools.filter(({ name }) => !hides(String(name)))
        },
        decide: (call, next) => (seen.size === 0 || seen.has(call.tool) ? next(call) : ALLOW),
      }
    },
  },
  {
    name: 'allows-hidden-tools',
    does: 'leaves hidden tools out of lists and lets calls of them pass',
    hooks: ({ policy }) => ({
      decide: (call, next) => (policy.hide.includes(call.tool) ? ALLOW : next(call)),
    }),
  },
  {
    name: 'allows-denied-tools',
    does: 'skips rules that deny a tool',
    policy: 'intercept/instanode-strict.yaml',
    hooks: withRules(rules => rules.filter(({ demand }) => demand.kind !== 'deny')),
  },
  {
    name: 'skips-conditions',
    does: 'does not look at arguments',
    hooks: withRules(rules => rules.filter(({ demand }) => demand.kind === 'limit')),
  },
  {
    name: 'checks-one-condition',
    does: 'skips all rules of a tool on arguments but the first',
    policy: MIXED,
    hooks: withRules(rules => {
      const first = rules.find(({ demand }) => demand.kind !== 'limit')
      return rules.filter(rule => rule === first || rule.demand.kind === 'limit')
    }),
  },
  {
    name: 'passes-missing-arguments',
    does: 'takes conditions on arguments that are missing for fulfilled',
    policy: 'intercept/safebot-strict.yaml',
    hooks: () => ({
      decide: (call, next) => {
        const { args } = call
        return isObject(args) && args.url === undefined && 'text' in args
          ? next({ ...call, args: { ...args, url: 'http://127.0.0.1/' } })
          : next(call)
      },
    }),
  },
  {
    name: 'passes-odd-arguments',
    does: 'lets calls pass whose arguments are no object',
    hooks: () => ({ decide: (call, next) => (isObject(call.args) ? next(call) : ALLOW) }),
  },
  {
    name: 'ignores-case-in-patterns',
    does: 'matches patterns without regard to case',
    policy: MIXED,
    hooks: withConditions(condition =>
      condition.op === 'regex' ? { ...condition, value: `(?i)${condition.value}` } : condition,
    ),
  },
  {
    name: 'matches-lines',
    does: 'matches patterns line by line, so that a newline ends the text',
    policy: MIXED,
    hooks: withConditions(condition =>
      condition.op === 'regex' ? { ...condition, value: `(?m)${condition.value}` } : condition,
    ),
  },
  {
    name: 'trims-before-matching',
    does: 'judges text arguments without white space at either end',
    policy: MIXED,
    hooks: () =>
      judgedAs(call => ({
        ...call,
        args: mapTexts(call.args, text => text.trim()),
      })),
  },
  {
    name: 'reads-texts-as-numbers',
    does: 'judges a text that spells a number as that number',
    policy: MIXED,
    hooks: () =>
      judgedAs(call => ({
        ...call,
        args: mapTexts(call.args, text => (/^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text)),
      })),
  },
  {
    name: 'rounds-numbers',
    does: 'judges numbers without their fraction',
    policy: MIXED,
    hooks: () =>
      judgedAs(({ args, ...call }) => ({
        ...call,
        args: isObject(args)
          ? Object.fromEntries(
              Object.entries(args).map(([key, value]) => [
                key,
                typeof value === 'number' ? Math.trunc(value) : value,
              ]),
            )
          : args,
      })),
  },
  {
    name: 'remembers-decisions',
    does: 'allows every call of a tool once one was allowed',
    hooks: () => {
      const allowed = new Set<string>()
      return {
        decide(call, next) {
          if (allowed.has(call.tool)) return ALLOW
          const decision = next(call)
          if (decision.outcome === 'allow') allowed.add(call.tool)
          return decision
        },
      }
    },
  },
  {
    name: 'denies-once',
    does: 'denies a call the first time and lets the same call pass the second time',
    hooks: () => {
      const denied = new Set<string>()
      return {
        deny({ denial, request, forward }) {
          const key = JSON.stringify(paramsOf(request))
          if (denied.has(key)) return forward(request)
          denied.add(key)
          return denial
        },
      }
    },
  },
  {
    name: 'judges-one-session',
    does: 'judges the calls of the first session and lets those of others pass',
    hooks: () => {
      let first: string | undefined
      return {
        judges(message, { session }) {
          if (message.method !== 'tools/call') return false
          first ??= session
          return session === first
        },
      }
    },
  },
  {
    name: 'ignores-calls-without-session',
    does: 'does not judge calls without Mcp-Session-Id',
    hooks: () => ({
      judges: (message, { session }) => message.method === 'tools/call' && session !== undefined,
    }),
  },
  {
    name: 'approves-for-ever',
    does: 'lets a call pass again and again once it was approved',
    policy: APPROVALS,
    hooks: () => {
      const approved = new Set<string>()
      return {
        decide(call, next) {
          const key = JSON.stringify([call.tool, call.args, call.grant])
          if (call.approved === true) approved.add(key)
          return next({ ...call, approved: approved.has(key) })
        },
      }
    },
  },
  {
    name: 'approves-any-arguments',
    does: 'lets a call with other arguments pass once one call of the tool was approved',
    policy: APPROVALS,
    hooks: () => {
      const approved = new Set<string>()
      return {
        decide(call, next) {
          if (call.approved === true) approved.add(call.tool)
          return next({ ...call, approved: call.approved === true || approved.has(call.tool) })
        },
        call(request, next) {
          return next(request)
        },
      }
    },
  },
  {
    name: 'needs-no-approval',
    does: 'skips rules that ask for an approval',
    policy: APPROVALS,
    hooks: withRules(rules => rules.filter(({ demand }) => demand.kind !== 'approve')),
  },
]

function mapTexts(args: unknown, change: (text: string) => unknown): unknown {
  if (!isObject(args)) return args
  return Object.fromEntries(
    Object.entries(args).map(([key, value]) => [key, typeof value === 'string' ? change(value) : value]),
  )
}
