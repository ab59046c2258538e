import { z } from 'zod'

/** The form of every error. */
export const errorAnswer = z
  .object({
    error: z.strictObject({
      code: z.string().describe('stable'),
      message: z.string().describe('what failed, and the value it failed on'),
      hint: z.string().nullable().describe('what to do next'),
    }),
  })
  .meta({ id: 'Error' })
