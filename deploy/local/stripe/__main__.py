"""``python -m deploy.local.stripe <port> <address of the webhook>``"""

import sys

from deploy.local.stripe.server import Stripe

if __name__ == "__main__":
    with Stripe(int(sys.argv[1]), hook=sys.argv[2]) as stripe:
        stripe.ended.wait()
