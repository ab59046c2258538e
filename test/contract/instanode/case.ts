import type { z } from 'zod'
import type { ContractName } from '../../../shared/contract.js'
import type { World } from './world.js'

/** A request, and what the contract says of its answer. */
export interface Case {
  /** The request, in words. */
  what: string
  /** Under which contract alone; default: both. */
  under?: ContractName
  /** `METHOD /path`. */
  request: string | ((world: World) => string)
  /** The bearer. */
  as?: string
  headers?: Record<string, string>
  /** Sent as it stands; an object as JSON. */
  body?: unknown | ((world: World) => unknown)
  /** Prepares the world for the request. */
  before?(world: World): Promise<unknown>
  status: number
  /** The schema of an answer that is no error. */
  answer?: z.ZodType
  /** The code of the error. */
  error?: string
  /** Further parts of the answer. */
  has?: Record<string, unknown>
  /** Headers of the answer; null: it does not have that one. */
  answers?: Record<string, string | null>
  /** An answer that is no JSON: its text. */
  text?: string
}
