import { isObject } from '../../../shared/util/is-object.js'
import type { PolicyEngine } from '../policy/model.js'

/**
 * A message from the upstream without the tools that the policy hides: the same object where nothing is to be hidden.
 *
 * It is told by what it has, not by what was asked: an answer that is replayed on another stream is a list of tools, too. An entry
 * without a name cannot be judged, and is left out.
 */
export function withoutHidden(message: unknown, engine: Pick<PolicyEngine, 'hides'>): unknown {
  if (!isObject(message) || !isObject(message.result) || !Array.isArray(message.result.tools)) return message
  const { tools } = message.result
  const left = tools.filter(
    tool => isObject(tool) && typeof tool.name === 'string' && !engine.hides(tool.name),
  )
  return left.length === tools.length ? message : { ...message, result: { ...message.result, tools: left } }
}
