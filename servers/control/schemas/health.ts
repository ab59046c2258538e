import { z } from 'zod'

/** The body of every error answer. */
export const errorAnswer = z
  .object({
    error: z.strictObject({
      code: z.string().describe('stable'),
      message: z.string().describe('the failure, with the value'),
      hint: z.string().nullable().describe('the remedy'),
    }),
  })
  .meta({ id: 'Error' })

export const healthAnswer = z
  .strictObject({ status: z.literal('ok'), version: z.string(), instance: z.string() })
  .meta({ id: 'Health' })

const checks = z
  .record(z.string(), z.record(z.string(), z.string()))
  .describe('by server: what was looked at, and ok or what is wrong with it')

export const readyAnswer = z.strictObject({ ready: z.literal(true), checks }).meta({ id: 'Ready' })

export const notReadyAnswer = z
  .strictObject({ ready: z.literal(false), checks, error: errorAnswer.shape.error })
  .meta({ id: 'NotReady' })
