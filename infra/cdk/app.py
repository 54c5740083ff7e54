"""Writes the templates of one stage: `python infra/cdk/app.py --stage dev --out DIR`.

Under the CDK's own program the stage comes as `-c stage=dev`. Ends with 1 where cdk-nag finds what
is not left aside with a reason. The templates need no bootstrap of the account: they have no
assets, and any program that makes stacks makes them.
"""

import argparse
import os

from application.edge import REGION, EdgeStack
from application.stack import ApplicationStack, ComputeStack
from application.stage import Stage
from aws_cdk import App, BootstraplessSynthesizer, Environment, Tags, Validations
from cdk_nag import AwsSolutionsChecks


def empty_app(outdir: str | None) -> App:
    """Give an app with the ways of CDK that these stacks count on, whoever starts it."""
    return App(
        outdir=outdir,
        analytics_reporting=False,
        context={
            "aws:cdk:enable-path-metadata": False,
            # Buckets of logs take them by their policy: lists of rights are closed.
            "@aws-cdk/aws-s3:serverAccessLogsUseBucketPolicy": True,
        },
    )


def build(app: App, stage: Stage) -> None:
    """Put the stacks of a stage into an app, with cdk-nag watching."""
    options = {
        "stage": stage,
        "synthesizer": BootstraplessSynthesizer(),
        "termination_protection": stage.is_protected,
        # CloudFormation takes 51,200 bytes without a bucket to put a template into.
        "suppress_template_indentation": True,
    }
    edge = EdgeStack(app, stage.called("edge"), env=Environment(region=REGION), **options)
    here = Environment(region=stage["region"])
    application = ApplicationStack(app, stage.called("application"), env=here, **options)
    application.add_stack_dependency(edge)
    compute = ComputeStack(app, stage.called("compute"), env=here, **options)
    compute.add_stack_dependency(application)
    Tags.of(app).add("vigil-stage", stage["stage"])
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))


def main() -> None:
    """Write the templates."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--stage")
    arguments.add_argument("--out", default=os.environ.get("CDK_OUTDIR"))
    told = arguments.parse_args()
    app = empty_app(told.out)
    stage = told.stage or app.node.try_get_context("stage")
    if not stage:
        raise SystemExit("Say which stage: --stage dev, or -c stage=dev under cdk.")
    build(app, Stage.read(stage))
    app.synth()


if __name__ == "__main__":
    main()
