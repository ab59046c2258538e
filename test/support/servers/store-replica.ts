import { onTestFinished } from 'vitest'
import {
  createSafebot,
  type SafebotAlone,
  type SafebotAloneOptions,
} from '../../../servers/understudy/index.js'

/** Starts a Safebot with its control plane on the store at `store`. Closes it when the test has finished. */
export async function replica(store: string, options: SafebotAloneOptions = {}): Promise<SafebotAlone> {
  const running = await createSafebot({ store, world: 'empty', ...options })
  onTestFinished(() => running.close())
  return running
}
