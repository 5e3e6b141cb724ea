"""The lab: a Kubernetes control plane and a stand-in for AWS, as child processes of a test run.

    errors      what goes wrong, in a sentence a person can act on
    progress    what a person sees while waiting
    binaries    the pinned tools, built once into a cache outside the tree
    certs       one CA, the leaves, the kubeconfigs
    processes   children that cannot outlive the lab, free ports, readiness
    watchdog    tidies up after a lab that was killed with SIGKILL
    plane       etcd, kube-apiserver, kube-controller-manager, kube-scheduler
    moto        S3, SNS, SQS, STS and IAM on one local port
    template    a CloudFormation template with its functions worked out
    iam         what IAM makes of policies
    stack       the stacks of deploy/aws, deployed into moto
    control     the loopback page on which a test asks for a restart of the API server
    lab         all of it behind one `with`
    cli         the command line
"""
