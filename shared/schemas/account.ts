import { z } from 'zod'
import { strict } from '../util/check.js'

export const PLANS = ['free', 'paid'] as const

export const account = z
  .strictObject({
    id: z.string(),
    plan: z.enum(PLANS),
    token: z.string().nullable().describe('masked unless the request asks for secrets; null: no fixed token'),
  })
  .meta({ id: 'Account' })

export type AccountState = z.infer<typeof account>

export const planRequest = strict({
  plan: z
    .enum(PLANS)
    .describe(
      'paid: its resources do not expire; free: its resources without an expiry get one in 168 hours',
    ),
}).meta({ id: 'PlanRequest' })
