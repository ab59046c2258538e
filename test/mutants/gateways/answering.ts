import { isObject } from '#built/shared/util/objects.js'
import type { Message } from '../proxy/hooks.js'
import { errorResponse, HttpAnswer } from '../proxy/policy-gateway.js'
import { changedAnswers, type GatewayMutant, toolOf, withResult } from './mutant.js'

const INSTANODE = 'policylayer/instanode.claim-token.json'
const TOO_LONG = 40

/** Mutants that change the upstream's answer to an allowed call, or send a denial that is none. */
export const ANSWERING: readonly GatewayMutant[] = [
  {
    name: 'answers-500',
    does: 'forwards an allowed call and answers HTTP 500',
    hooks: () => ({
      async call(request, next) {
        await next(request)
        throw new HttpAnswer(500, 'Internal Server Error', 'text/plain')
      },
    }),
  },
  {
    name: 'answers-with-status-500',
    does: "answers an allowed call with the upstream's answer and HTTP 500",
    hooks: () => ({
      async call(request, next) {
        throw new HttpAnswer(500, JSON.stringify(await next(request)))
      },
    }),
  },
  {
    name: 'says-denied-but-forwards-allowed',
    does: 'forwards an allowed call and answers that it is denied',
    hooks: () =>
      changedAnswers(({ id }) => ({
        jsonrpc: '2.0',
        id,
        result: { content: [{ type: 'text', text: '[POLICY DENIED] by mistake' }], isError: true },
      })),
  },
  {
    name: 'answers-nothing',
    does: 'forwards an allowed call and answers HTTP 202 without a body',
    hooks: () => changedAnswers(() => undefined),
  },
  {
    name: 'replaces-results',
    does: 'replaces every result by the text "ok"',
    hooks: () =>
      changedAnswers(answer => withResult(answer, () => ({ content: [{ type: 'text', text: 'ok' }] }))),
  },
  {
    name: 'redacts-text',
    does: 'replaces URLs in the text of results',
    hooks: () =>
      changedAnswers(answer =>
        withResult(answer, result => mapText(result, text => text.replace(/https?:\/\/\S+/g, '[redacted]'))),
      ),
  },
  {
    name: 'cuts-text',
    does: `cuts the text of results after ${TOO_LONG} characters`,
    hooks: () =>
      changedAnswers(answer =>
        withResult(answer, result => mapText(result, text => text.slice(0, TOO_LONG))),
      ),
  },
  {
    name: 'adds-a-banner',
    does: 'adds a block of text to every result',
    hooks: () =>
      changedAnswers(answer =>
        withResult(answer, result => ({
          ...result,
          content: [
            ...(Array.isArray(result.content) ? result.content : []),
            { type: 'text', text: 'checked' },
          ],
        })),
      ),
  },
  {
    name: 'drops-structured-content',
    does: 'drops structuredContent',
    hooks: () =>
      changedAnswers(answer => withResult(answer, ({ structuredContent: _, ...result }) => result)),
  },
  {
    name: 'changes-structured-content',
    does: 'adds a field to structuredContent',
    hooks: () =>
      changedAnswers(answer =>
        withResult(answer, result =>
          isObject(result.structuredContent)
            ? { ...result, structuredContent: { ...result.structuredContent, gateway: 'mutant' } }
            : result,
        ),
      ),
  },
  {
    name: 'hides-tool-errors',
    does: 'drops isError, so that a failed call looks like a success',
    hooks: () => changedAnswers(answer => withResult(answer, ({ isError: _, ...result }) => result)),
  },
  {
    name: 'marks-results-as-errors',
    does: 'adds isError to every result',
    hooks: () => changedAnswers(answer => withResult(answer, result => ({ ...result, isError: true }))),
  },
  {
    name: 'turns-rpc-errors-into-results',
    does: 'answers a JSON-RPC error of the upstream as a tool error',
    hooks: () =>
      changedAnswers(answer =>
        answer.error === undefined
          ? answer
          : {
              jsonrpc: '2.0',
              id: answer.id,
              result: { content: [{ type: 'text', text: 'the tool failed' }], isError: true },
            },
      ),
  },
  {
    name: 'changes-error-codes',
    does: 'answers every JSON-RPC error of the upstream with code -32603',
    hooks: () =>
      changedAnswers(answer =>
        answer.error === undefined ? answer : errorResponse(answer.id, -32603, 'Internal error'),
      ),
  },
  {
    name: 'changes-error-messages',
    does: 'replaces the message of every JSON-RPC error of the upstream',
    hooks: () =>
      changedAnswers(answer =>
        isObject(answer.error)
          ? { ...answer, error: { ...answer.error, message: 'upstream error' } }
          : answer,
      ),
  },
  {
    name: 'answers-under-another-id',
    does: 'answers under an id that is one higher',
    hooks: () => changedAnswers(answer => ({ ...answer, id: Number(answer.id) + 1 })),
  },
  {
    name: 'answers-under-a-text-id',
    does: 'answers id 1 under id "1"',
    hooks: () => changedAnswers(answer => ({ ...answer, id: String(answer.id) })),
  },
  {
    name: 'answers-without-id',
    does: 'answers errors of the upstream with id null',
    hooks: () => changedAnswers(answer => (answer.error === undefined ? answer : { ...answer, id: null })),
  },
  {
    name: 'gives-an-earlier-answer',
    does: 'forwards every call and gives the first answer of the tool each time',
    hooks: () => {
      const first = new Map<string, Message>()
      return changedAnswers((answer, request) => {
        const tool = toolOf(request)
        const given = first.get(tool) ?? answer
        first.set(tool, given)
        return { ...given, id: answer.id }
      })
    },
  },
  {
    name: 'gives-the-last-answer',
    does: 'gives each call the answer of the call before it, if it was of the same tool',
    hooks: () => {
      const last = new Map<string, Message>()
      return changedAnswers((answer, request) => {
        const tool = toolOf(request)
        const given = last.get(tool) ?? answer
        last.set(tool, answer)
        return { ...given, id: answer.id }
      })
    },
  },
  {
    name: 'mixes-up-parallel-answers',
    does: 'swaps the results of two calls that are under way at once',
    hooks: () => {
      let waiting: { answer: Message; resolve(swapped: Message): void } | undefined
      let underway = 0
      return {
        async call(request, next) {
          underway++
          const answer = await next(request).finally(() => underway--)
          if (answer === undefined) return undefined
          if (waiting !== undefined) {
            const first = waiting
            waiting = undefined
            first.resolve({ ...answer, id: first.answer.id })
            return { ...first.answer, id: answer.id }
          }
          if (underway === 0) return answer
          return new Promise(resolve => {
            waiting = { answer, resolve }
          })
        },
      }
    },
  },
  {
    name: 'shows-the-credential-in-headers',
    does: "shows the upstream's credential in a header of the response",
    policy: INSTANODE,
    hooks: () => {
      let credential: string | undefined
      return {
        credential: own => {
          credential = own
          return own
        },
        async call(request, next, caller) {
          const answer = await next(request)
          if (credential !== undefined) caller.setHeader('X-Upstream-Authorization', credential)
          return answer
        },
      }
    },
  },
  {
    name: 'shows-the-credential-in-denials',
    does: "shows the upstream's credential in the text of a denial",
    policy: INSTANODE,
    hooks: () => {
      let credential: string | undefined
      return {
        credential: own => {
          credential = own
          return own
        },
        deny: ({ denial }) =>
          withResult(denial, result => mapText(result, text => `${text} (not sent with ${credential})`)),
      }
    },
  },
  {
    name: 'shows-the-credential-in-results',
    does: "adds the upstream's credential to _meta of results",
    policy: INSTANODE,
    hooks: () => {
      let credential: string | undefined
      return {
        credential: own => {
          credential = own
          return own
        },
        ...changedAnswers(answer =>
          withResult(answer, result => ({ ...result, _meta: { sent: credential } })),
        ),
      }
    },
  },
  {
    name: 'shows-the-credential-in-errors',
    does: "adds the upstream's credential to the data of its errors",
    policy: INSTANODE,
    hooks: () => {
      let credential: string | undefined
      return {
        credential: own => {
          credential = own
          return own
        },
        ...changedAnswers(answer =>
          isObject(answer.error)
            ? { ...answer, error: { ...answer.error, data: { sent: credential } } }
            : answer,
        ),
      }
    },
  },
  {
    name: 'denies-as-success',
    does: 'answers a denied call with a result that is no error',
    hooks: () => ({ deny: ({ denial }) => withResult(denial, ({ isError: _, ...result }) => result) }),
  },
  {
    name: 'denies-without-an-answer',
    does: 'answers a denied call with HTTP 202 and no body',
    hooks: () => ({ deny: () => undefined }),
  },
  {
    name: 'denies-under-another-id',
    does: 'denies a call under an id that is one higher',
    hooks: () => ({
      deny: ({ denial }) => (denial === undefined ? undefined : { ...denial, id: Number(denial.id) + 1 }),
    }),
  },
]

/** A result with its text blocks changed. */
function mapText(result: Record<string, unknown>, change: (text: string) => string): Record<string, unknown> {
  if (!Array.isArray(result.content)) return result
  const content = result.content.map(block =>
    isObject(block) && typeof block.text === 'string' ? { ...block, text: change(block.text) } : block,
  )
  return { ...result, content }
}
