import { z } from 'zod'
import { strict } from '../util/check.js'

export const PLANS = ['free', 'paid'] as const

export const account = z
  .strictObject({
    id: z.string(),
    plan: z.enum(PLANS),
    token: z.string().nullable().describe('masked, unless secrets were asked for; null: it has no fixed one'),
  })
  .meta({ id: 'Account' })

export type AccountState = z.infer<typeof account>

export const planRequest = strict({
  plan: z.enum(PLANS).describe('paid: all it owns is for good; free: what was for good ends 168 hours later'),
}).meta({ id: 'PlanRequest' })
