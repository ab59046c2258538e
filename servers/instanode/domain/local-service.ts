import type { Gate } from '../../../shared/util/locks.js'
import type { TierLimits } from '../limits.js'
import type { Abortable, AccountToken, Caller, InstanodeService, Provisioned, Removed } from '../service.js'
import type { Accounts } from './accounts.js'
import { TOKEN_LIFETIME_SECONDS } from './accounts.js'
import type { Resource } from './model.js'
import type { Ownership } from './ownership.js'
import type { Provisioning } from './provisioning.js'

/** The service in this process. */
export class Platform implements InstanodeService {
  readonly #accounts: Accounts
  readonly #provisioning: Provisioning
  readonly #ownership: Ownership
  readonly #gate: Gate

  constructor(accounts: Accounts, provisioning: Provisioning, ownership: Ownership, gate: Gate) {
    this.#accounts = accounts
    this.#provisioning = provisioning
    this.#ownership = ownership
    this.#gate = gate
  }

  createPostgres(caller: Caller, name: string, call?: Abortable): Promise<Provisioned<TierLimits>> {
    return this.#gate.pass(() =>
      this.#provisioning.create('postgres', caller, name, { signal: call?.signal }),
    )
  }

  createWebhook(caller: Caller, name: string): Promise<Provisioned<TierLimits>> {
    return this.#gate.pass(() => this.#provisioning.create('webhook', caller, name))
  }

  list(caller: Caller): Promise<Resource[]> {
    return this.#gate.pass(() => this.#ownership.list(caller))
  }

  claim(caller: Caller, token: string): Promise<Resource> {
    return this.#gate.pass(() => this.#ownership.claim(caller, token))
  }

  remove(caller: Caller, token: string): Promise<Removed> {
    return this.#gate.pass(() => this.#ownership.remove(caller, token))
  }

  mintToken({ bearer }: Caller): Promise<AccountToken> {
    return this.#gate.pass(async () => {
      const account = await this.#accounts.require(bearer)
      return { token: await this.#accounts.mint(account), expiresInSeconds: TOKEN_LIFETIME_SECONDS }
    })
  }
}
