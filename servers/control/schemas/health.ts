import { z } from 'zod'

/** The body of every error answer. */
export const errorAnswer = z
  .object({
    error: z.strictObject({
      code: z.string().describe('the code of the error, which stays the same in later versions'),
      message: z.string().describe('the failure, and the value that caused it'),
      hint: z.string().nullable().describe('how to repair the failure'),
    }),
  })
  .meta({ id: 'Error' })

export const healthAnswer = z
  .strictObject({ status: z.literal('ok'), version: z.string(), instance: z.string() })
  .meta({ id: 'Health' })

const checks = z
  .record(z.string(), z.record(z.string(), z.string()))
  .describe('for each server, its checks by name: ok, or the error that the check found')

export const readyAnswer = z.strictObject({ ready: z.literal(true), checks }).meta({ id: 'Ready' })

export const notReadyAnswer = z
  .strictObject({ ready: z.literal(false), checks, error: errorAnswer.shape.error })
  .meta({ id: 'NotReady' })
