import type { Hooks } from '../proxy/hooks.js'
import { HttpAnswer } from '../proxy/policy-gateway.js'
import {
  changedRequests,
  type GatewayMutant,
  letGo,
  paramsOf,
  toolOf,
  withArguments,
  withParams,
} from './mutant.js'

const INSTANODE = 'policylayer/instanode.claim-token.json'

/** No call of it waits for time to pass, whatever its arguments are. */
const LIMITS = 'limits.json'

/** Forwards a denied call, and denies it all the same. */
const forwardedThough = (): Partial<Hooks> => ({
  async deny({ denial, request, forward }) {
    await forward(request)
    return denial
  },
})

/** Mutants that send the wrong requests to the upstream. */
export const REACHING: readonly GatewayMutant[] = [
  {
    name: 'denies-and-forwards',
    does: 'forwards a denied call and answers that it is denied',
    hooks: forwardedThough,
  },
  {
    name: 'denies-and-forwards-later',
    does: 'forwards a denied call one second after the denial',
    late: true,
    hooks: () => ({
      deny({ denial, request, forward }) {
        setTimeout(() => letGo(forward, request), 1000).unref()
        return denial
      },
    }),
  },
  {
    name: 'denies-and-notifies',
    does: 'forwards a denied call as a notification',
    hooks: () => ({
      async deny({ denial, request: { id: _, ...notification }, forward }) {
        await forward(notification)
        return denial
      },
    }),
  },
  {
    name: 'forwards-denied-and-fails',
    does: 'forwards a denied call and answers HTTP 500',
    hooks: () => ({
      async deny({ request, forward }) {
        await forward(request)
        throw new HttpAnswer(500, 'Internal Server Error', 'text/plain')
      },
    }),
  },
  {
    name: 'forwards-denied-probe',
    does: 'forwards a denied call with empty arguments, as a probe',
    hooks: () => ({
      async deny({ denial, request, forward }) {
        await forward(withParams(request, { arguments: {} }))
        return denial
      },
    }),
  },
  {
    name: 'logs-denied-only',
    does: 'lets every denied call pass, as in a log-only mode',
    hooks: () => ({ deny: ({ request, forward }) => forward(request) }),
  },
  {
    name: 'sends-twice',
    does: 'forwards every allowed call twice',
    hooks: () => ({
      async call(request, next) {
        await next(request)
        return next(request)
      },
    }),
  },
  {
    name: 'sends-twice-later',
    does: 'forwards every allowed call again a second later',
    late: true,
    hooks: () => ({
      async call(request, next) {
        setTimeout(() => letGo(next, request), 1000).unref()
        return next(request)
      },
    }),
  },
  {
    name: 'retries-tool-errors',
    does: 'forwards a call again after a tool error',
    hooks: () => ({
      async call(request, next) {
        const answer = await next(request)
        return JSON.stringify(answer).includes('"isError":true') ? next(request) : answer
      },
    }),
  },
  {
    name: 'retries-rpc-errors',
    does: 'forwards a call again after a JSON-RPC error',
    hooks: () => ({
      async call(request, next) {
        const answer = await next(request)
        return answer?.error === undefined ? answer : next(request)
      },
    }),
  },
  {
    name: 'never-sends',
    does: 'answers allowed calls itself',
    hooks: () => ({
      call: async ({ id }) => ({ jsonrpc: '2.0', id, result: { content: [{ type: 'text', text: 'done' }] } }),
    }),
  },
  {
    name: 'answers-from-cache',
    does: 'answers a repeated call with its first answer and does not forward the call',
    hooks: () => {
      const answers = new Map<string, Record<string, unknown>>()
      return {
        async call(request, next) {
          const key = JSON.stringify(paramsOf(request))
          const answer = answers.get(key) ?? (await next(request))
          if (answer !== undefined) answers.set(key, answer)
          return answer === undefined ? undefined : { ...answer, id: request.id }
        },
      }
    },
  },
  {
    name: 'drops-arguments',
    does: 'forwards calls without their arguments',
    hooks: () => changedRequests(request => withParams(request, { arguments: {} })),
  },
  {
    name: 'adds-an-argument',
    does: 'adds an argument to every call',
    hooks: () => changedRequests(request => withArguments(request, args => ({ ...args, gateway: 'mutant' }))),
  },
  {
    name: 'lengthens-waits',
    does: 'adds a second to timeout_seconds',
    hooks: () =>
      changedRequests(request =>
        withArguments(request, args =>
          typeof args.timeout_seconds === 'number'
            ? { ...args, timeout_seconds: args.timeout_seconds + 1 }
            : args,
        ),
      ),
  },
  {
    name: 'trims-arguments',
    does: 'trims white space in text arguments',
    policy: LIMITS,
    hooks: () =>
      changedRequests(request => withArguments(request, args => mapTexts(args, text => text.trim()))),
  },
  {
    name: 'lowers-arguments',
    does: 'puts text arguments into lower case',
    policy: LIMITS,
    hooks: () =>
      changedRequests(request => withArguments(request, args => mapTexts(args, text => text.toLowerCase()))),
  },
  {
    name: 'quotes-numbers',
    does: 'forwards numbers in arguments as texts',
    hooks: () =>
      changedRequests(request =>
        withArguments(request, args =>
          Object.fromEntries(
            Object.entries(args).map(([key, value]) => [
              key,
              typeof value === 'number' ? String(value) : value,
            ]),
          ),
        ),
      ),
  },
  {
    name: 'calls-another-tool',
    does: 'forwards claim_task as next_task, which is hidden',
    hooks: () =>
      changedRequests(request =>
        toolOf(request) === 'claim_task' ? withParams(request, { name: 'next_task' }) : request,
      ),
  },
  {
    name: 'passes-the-bearer',
    does: "sends the caller's bearer to the upstream in place of its credential",
    policy: INSTANODE,
    hooks: () => ({ credential: (_own, { authorization }) => authorization }),
  },
  {
    name: 'changes-the-account',
    does: "sends another account's credential with every second request",
    policy: INSTANODE,
    hooks: () => {
      let requests = 0
      return { credential: own => (requests++ % 2 === 0 ? own : `${own}-2`) }
    },
  },
  {
    name: 'calls-by-itself',
    does: 'calls a tool by itself whenever a list is asked for',
    hooks: () => ({
      async forward(message, next) {
        const params = { name: 'room_status', arguments: {} }
        if (message.method === 'tools/list') await next({ ...message, method: 'tools/call', params })
        return next(message)
      },
    }),
  },
]

function mapTexts(args: Record<string, unknown>, change: (text: string) => string): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(args).map(([key, value]) => [key, typeof value === 'string' ? change(value) : value]),
  )
}
