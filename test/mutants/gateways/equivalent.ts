import { isObject } from '#built/shared/util/objects.js'
import type { Hooks, Message } from '../proxy/hooks.js'
import { errorResponse, HttpAnswer } from '../proxy/policy-gateway.js'
import { changedAnswers, changedRequests, type GatewayMutant, withArguments, withResult } from './mutant.js'

const REFUSES_BATCHES: Partial<Hooks> = {
  batch: async () => [errorResponse(null, -32600, 'batches are not supported')],
}

/** A batch has one status for all its calls, so it is refused. */
function deniesByHttp(status: number, body: (denial: Message) => string): Partial<Hooks> {
  return {
    ...REFUSES_BATCHES,
    deny({ denial }) {
      if (denial === undefined) return undefined
      throw new HttpAnswer(status, body(denial))
    },
  }
}

/** Gateways that differ from the correct one and still do what the policy says. The judge must find nothing wrong. */
export const EQUIVALENT: readonly GatewayMutant[] = [
  {
    name: 'sorts-arguments',
    does: 'forwards arguments with their keys in alphabetical order',
    equivalent: 'a JSON object has no order of keys (RFC 8259, section 4)',
    hooks: () => changedRequests(request => withArguments(request, sorted)),
  },
  {
    name: 'sorts-answers',
    does: 'answers with the keys of each message and of its result in alphabetical order',
    equivalent: 'a JSON object has no order of keys (RFC 8259, section 4)',
    hooks: () => changedAnswers(answer => withResult(sorted(answer), sorted)),
  },
  {
    name: 'denies-in-other-words',
    does: 'denies with a tool error of other words',
    equivalent: 'neither product prescribes the text of a denial for the gateways of others',
    hooks: () => ({
      deny: ({ denial }) =>
        withResult(denial, () => ({ content: [{ type: 'text', text: 'no' }], isError: true })),
    }),
  },
  {
    name: 'denies-by-rpc-error',
    does: 'denies with JSON-RPC error -32003',
    equivalent: 'Intercept denies calls that need an approval in this form since 2026-03-31',
    hooks: () => ({ deny: ({ denial }) => asError(denial, -32003) }),
  },
  {
    name: 'denies-by-http-403',
    does: 'denies with HTTP 403 and a JSON-RPC error under the id of the call',
    equivalent: 'ToolHive vMCP denies in this form',
    hooks: () => deniesByHttp(403, denial => JSON.stringify(asError(denial, 403))),
  },
  {
    name: 'denies-by-plain-http-403',
    does: 'denies with HTTP 403 and no JSON-RPC message',
    equivalent: 'HTTP 403 refuses the request, whatever the body is (RFC 9110, section 15.5.4)',
    hooks: () => deniesByHttp(403, () => 'Forbidden'),
  },
  {
    name: 'denies-by-http-429',
    does: 'denies with HTTP 429 and a JSON-RPC error under the id of the call',
    equivalent: 'ToolHive vMCP and ContextForge answer a limit that is reached with 429',
    hooks: () => deniesByHttp(429, denial => JSON.stringify(asError(denial, 429))),
  },
  {
    name: 'refuses-batches',
    does: 'refuses every batch as a whole',
    equivalent:
      'MCP has no batches since revision 2025-06-18, and nothing of a refused batch reaches the upstream',
    hooks: () => REFUSES_BATCHES,
  },
  {
    name: 'sends-batches-in-order',
    does: 'forwards a call of a batch when the one before it is answered',
    equivalent: 'JSON-RPC 2.0, section 6: a server may process the calls of a batch in any order',
    hooks: () => ({
      async batch(messages, next) {
        const answers: (Message | undefined)[] = []
        for (const message of messages) answers.push(await next(message))
        return answers
      },
    }),
  },
  {
    name: 'sends-calls-in-order',
    does: 'forwards a call when the one before it is answered',
    equivalent: 'every call reaches the upstream once and gets its own answer. Only the time differs',
    hooks: () => {
      let last: Promise<unknown> = Promise.resolve()
      return {
        call(request, next) {
          const answer = last.then(() => next(request))
          last = answer.catch(() => undefined)
          return answer
        },
      }
    },
  },
  {
    name: 'adds-a-header',
    does: 'adds a header with its own name to every response',
    equivalent: 'RFC 9110, section 7.6.3: a gateway may say on a response that it was there',
    hooks: () => ({
      receive(message, caller, next) {
        caller.setHeader('Via', '1.1 mutant')
        return next(message)
      },
    }),
  },
]

function sorted(fields: Message): Message {
  return Object.fromEntries(Object.entries(fields).sort(([a], [b]) => (a < b ? -1 : 1)))
}

function asError(denial: Message | undefined, code: number): Message | undefined {
  if (denial === undefined) return undefined
  const { result } = denial
  const [block] = isObject(result) && Array.isArray(result.content) ? result.content : []
  return errorResponse(denial.id, code, isObject(block) ? String(block.text) : 'denied')
}
