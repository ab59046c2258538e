import type { Row } from '../row.js'
import { apiParking } from './api-parking.js'
import { createPostgres } from './create-postgres.js'
import { deliveries } from './deliveries.js'
import { expiry } from './expiry.js'
import { gatewayCalls } from './gateway-calls.js'
import { gatewayPipes } from './gateway-pipes.js'
import { httpCalls } from './http-calls.js'
import { inProcess } from './in-process.js'
import { instanodeCalls } from './instanode-calls.js'
import { journalCost } from './journal-cost.js'
import { liveDatabases } from './live-databases.js'
import { memoryGrowth } from './memory-growth.js'
import { modernCalls } from './modern-calls.js'
import { parkedClaims } from './parked-claims.js'
import { policyDecisions } from './policy-decisions.js'
import { postedMessages } from './posted-messages.js'
import { rehearse } from './rehearse.js'
import { replicas } from './replicas.js'
import { reset } from './reset.js'
import { serverDatabases } from './server-databases.js'
import { signedCycles } from './signed-cycles.js'
import { sleepingDatabases } from './sleeping-databases.js'
import { snapshot } from './snapshot.js'
import { stdioCalls } from './stdio-calls.js'
import { stdioStart } from './stdio-start.js'
import { taskCycles } from './task-cycles.js'
import { timeTravel } from './time-travel.js'
import { upStart } from './up-start.js'
import { wakeUp } from './wake-up.js'

/** Every row, in the order of the table. */
export const ROWS: readonly Row[] = [
  httpCalls,
  stdioCalls,
  modernCalls,
  taskCycles,
  wakeUp,
  parkedClaims,
  signedCycles,
  postedMessages,
  apiParking,
  stdioStart,
  memoryGrowth,
  journalCost,
  policyDecisions,
  instanodeCalls,
  deliveries,
  createPostgres,
  liveDatabases,
  sleepingDatabases,
  serverDatabases,
  expiry,
  inProcess,
  timeTravel,
  upStart,
  gatewayCalls,
  gatewayPipes,
  rehearse,
  replicas,
  reset,
  snapshot,
]
