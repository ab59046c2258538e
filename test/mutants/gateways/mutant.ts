import type { Policy } from '#built/servers/gateway/policy/index.js'
import type { Clock } from '#built/shared/clock/clock.js'
import { isObject } from '#built/shared/util/objects.js'
import type { Forward, Hooks, Message } from '../proxy/hooks.js'

/** The parts of a gateway that a mutant may use. */
export interface Surroundings {
  /** The clock of the rate windows. */
  readonly clock: Clock
  readonly policy: Policy
}

/** A gateway that is broken in one way. */
export interface GatewayMutant {
  /** The name of its switch. */
  readonly name: string
  /** The behaviour of the mutant, in one line. */
  readonly does: string
  /** The policy that is rehearsed, by its path in fixtures/policies or test/mutants/policies. Default: {@link USUAL_POLICY}. */
  readonly policy?: string
  /** Why no caller and no upstream can tell it from the correct gateway, or why the judge must accept it. */
  readonly equivalent?: string
  /** Whether it sends something to the upstream behind the last answer. */
  readonly late?: true
  /** Makes the hooks for one gateway. State that they keep is that gateway's. */
  hooks(surroundings: Surroundings): Partial<Hooks>
}

/** It has a hidden tool, conditions, limits for each grant, and a limit over all tools. */
export const USUAL_POLICY = 'policylayer/safebot-strict.json'

/** A request with other params. */
export function withParams(request: Message, params: Readonly<Record<string, unknown>>): Message {
  return { ...request, params: { ...paramsOf(request), ...params } }
}

/** A call with arguments that are changed, if they are an object. */
export function withArguments(
  request: Message,
  change: (args: Record<string, unknown>) => Record<string, unknown>,
): Message {
  const { arguments: args } = paramsOf(request)
  return isObject(args) ? withParams(request, { arguments: change(args) }) : request
}

/** The result of an answer, changed. An error stays as it is. */
export function withResult(
  answer: Message | undefined,
  change: (result: Record<string, unknown>) => Record<string, unknown>,
): Message | undefined {
  if (answer === undefined || !isObject(answer.result)) return answer
  return { ...answer, result: change(answer.result) }
}

export function paramsOf({ params }: Message): Record<string, unknown> {
  return isObject(params) ? params : {}
}

export function toolOf(request: Message): string {
  return String(paramsOf(request).name)
}

/** Hooks that change the answers of allowed calls. */
export function changedAnswers(
  change: (answer: Message, request: Message) => Message | undefined,
): Partial<Hooks> {
  return {
    async call(request, next) {
      const answer = await next(request)
      return answer === undefined ? undefined : change(answer, request)
    },
  }
}

/** Hooks that change what allowed calls send. */
export function changedRequests(change: (request: Message) => Message): Partial<Hooks> {
  return { call: (request, next) => next(change(request)) }
}

/** Sends and forgets. */
export function letGo(forward: Forward, message: Message): void {
  forward(message).catch(() => undefined)
}
