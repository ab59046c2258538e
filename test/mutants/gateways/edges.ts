import { isObject } from '#built/shared/util/objects.js'
import type { Hooks, Message } from '../proxy/hooks.js'
import { changedAnswers, changedRequests, type GatewayMutant, paramsOf, withArguments } from './mutant.js'

const LONG_BYTES = 100 * 1024
const LONG_TEXT = 4096

/** Judges some calls and lets all others pass. */
const judgingOnly = (which: (message: Message) => boolean) => (): Partial<Hooks> => ({
  judges: message => message.method === 'tools/call' && which(message),
})

/** Changes the texts among the arguments of allowed calls. */
const changedTexts = (change: (text: string) => string) => () =>
  changedRequests(request =>
    withArguments(request, args =>
      Object.fromEntries(
        Object.entries(args).map(([name, value]) => [
          name,
          typeof value === 'string' ? change(value) : value,
        ]),
      ),
    ),
  )

/** Right in usual cases, and wrong at the edge. */
export const EDGES: readonly GatewayMutant[] = [
  {
    name: 'takes-id-0-for-none',
    does: 'does not judge a call whose id is 0',
    hooks: judgingOnly(({ id }) => id !== 0),
  },
  {
    name: 'ignores-text-ids',
    does: 'does not judge a call whose id is a text',
    hooks: judgingOnly(({ id }) => typeof id !== 'string'),
  },
  {
    name: 'makes-numbers-of-ids',
    does: 'answers under NaN, which is null in JSON, if the id is a text',
    hooks: () => changedAnswers((answer, { id }) => ({ ...answer, id: Number(id) })),
  },
  {
    name: 'ignores-missing-arguments',
    does: 'does not judge a call without arguments',
    hooks: judgingOnly(message => 'arguments' in paramsOf(message)),
  },
  {
    name: 'ignores-null-arguments',
    does: 'does not judge a call whose arguments are null',
    hooks: judgingOnly(message => paramsOf(message).arguments !== null),
  },
  {
    name: 'ignores-long-calls',
    does: `does not judge a call of more than ${LONG_BYTES} bytes`,
    hooks: judgingOnly(message => JSON.stringify(message).length <= LONG_BYTES),
  },
  {
    name: 'judges-the-last-of-a-batch',
    does: 'judges the last call of a batch and lets the others pass',
    hooks: () => {
      const unjudged = new Set<unknown>()
      return {
        async batch(messages, next) {
          for (const message of messages.slice(0, -1)) unjudged.add(message)
          return Promise.all(messages.map(next))
        },
        judges: message => message.method === 'tools/call' && !unjudged.has(message),
      }
    },
  },
  {
    name: 'ignores-calls-while-busy',
    does: 'does not judge a call that comes while two others are under way',
    policy: 'small.json',
    hooks: () => {
      let underWay = 0
      return {
        judges: ({ method }) => method === 'tools/call' && underWay < 2,
        async forward(message, next) {
          underWay++
          return next(message).finally(() => {
            underWay--
          })
        },
      }
    },
  },
  {
    name: 'mixes-sessions',
    does: 'gives two calls under way with the same id of two sessions the answer of the second',
    policy: 'small.json',
    hooks: () => {
      const underWay = new Map<unknown, { answer: Promise<Message | undefined> }>()
      return {
        async call(request, next) {
          const slot = underWay.get(request.id) ?? { answer: Promise.resolve(undefined) }
          slot.answer = next(request)
          underWay.set(request.id, slot)
          await slot.answer
          underWay.delete(request.id)
          return slot.answer
        },
      }
    },
  },
  {
    name: 'denies-with-null',
    does: 'answers a denied call with the result null',
    hooks: () => ({ deny: ({ denial }) => denial && { ...denial, result: null } }),
  },
  {
    name: 'drops-error-data',
    does: 'drops the data of JSON-RPC errors',
    hooks: () =>
      changedAnswers(answer => {
        if (!isObject(answer.error)) return answer
        const { data: _, ...error } = answer.error
        return { ...answer, error }
      }),
  },
  {
    name: 'drops-optional-arguments',
    does: 'drops the arguments name and limit',
    hooks: () =>
      changedRequests(request => withArguments(request, ({ name: _, limit: __, ...args }) => args)),
  },
  {
    name: 'escapes-arguments',
    does: 'escapes HTML in text arguments',
    hooks: changedTexts(text => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')),
  },
  {
    name: 'normalizes-arguments',
    does: 'puts text arguments into Unicode normalization form C',
    hooks: changedTexts(text => text.normalize('NFC')),
  },
  {
    name: 'joins-lines',
    does: 'makes LF of CR and LF in text arguments',
    hooks: changedTexts(text => text.replaceAll('\r\n', '\n')),
  },
  {
    name: 'cuts-arguments',
    does: `cuts text arguments after ${LONG_TEXT} characters`,
    hooks: changedTexts(text => text.slice(0, LONG_TEXT)),
  },
  {
    name: 'parses-arguments',
    does: 'forwards text arguments that are JSON as the value',
    hooks: () =>
      changedRequests(request =>
        withArguments(request, args =>
          Object.fromEntries(Object.entries(args).map(([name, value]) => [name, valueIn(value)])),
        ),
      ),
  },
]

/** The value of a JSON text that is an object or a list. Everything else as it is. */
function valueIn(text: unknown): unknown {
  if (typeof text !== 'string' || !/^[[{]/.test(text)) return text
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
