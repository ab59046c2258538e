import { z } from 'zod'
import { checked, strict } from '../../../shared/check.js'
import { Refusal } from '../../../shared/errors.js'
import type { HttpAnswer, Route } from '../../../shared/http/routes.js'
import type { Approvals } from './approvals.js'

/** A decision is short. */
const BODY_LIMIT = 64 * 1024

const decisionSchema = strict({ decision: z.enum(['approve', 'refuse']) })

/** What is waiting for an approval, and the way to decide it, for a listener that agents cannot reach. */
export function approvalRoutes(approvals: Approvals): Route[] {
  return [
    {
      method: 'GET',
      path: '/approvals',
      run: async () => json(200, { approvals: approvals.list() }),
    },
    {
      method: 'POST',
      path: '/approvals/:id',
      bodyLimit: BODY_LIMIT,
      async run({ params, body, tooLarge }) {
        if (tooLarge) throw new Refusal('body_too_large', `the body is larger than ${BODY_LIMIT} bytes`)
        const { decision } = checked(decisionSchema, parsed(body.toString('utf8')), 'bad_decision', 'body')
        return json(200, approvals.decide(params.id ?? '', decision))
      },
    },
  ]
}

/** What a route has thrown, as the project's own APIs answer it. */
export function refusedAnswer(error: unknown): HttpAnswer {
  if (!(error instanceof Refusal))
    return failure(500, 'internal', 'internal error: the log of the gateway has it')
  const status = STATUSES[error.code] ?? 400
  return failure(status, error.code, error.message, error.hint)
}

export function failure(status: number, code: string, message: string, hint?: string): HttpAnswer {
  return json(status, { error: { code, message, hint: hint ?? null } })
}

const STATUSES: Readonly<Record<string, number>> = {
  unknown_approval: 404,
  approval_decided: 409,
  body_too_large: 413,
}

function json(status: number, value: object): HttpAnswer {
  return { status, headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(value) }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new Refusal(
      'bad_json',
      'the body is not JSON',
      'send {"decision": "approve"} or {"decision": "refuse"}',
    )
  }
}
