#!/bin/sh
# Rolls one image out: ./deploy/kubernetes/roll-out.sh registry.example.com/open-wallet@sha256:…
# Configuration first, then the migration, and only when that is done the pods, one after another.
set -eu
image=${1:?give the image by its digest}
here=$(dirname "$0")
namespace=open-wallet
kubectl apply --filename "$here/production/namespace.yaml"
kubectl apply --namespace "$namespace" --filename "$here/base/configuration.yaml" --filename "$here/base/network.yaml"
kubectl delete job migrate --namespace "$namespace" --ignore-not-found --wait
sed "s|image: open-wallet$|image: $image|" "$here/migrate.yaml" | kubectl apply --namespace "$namespace" --filename -
kubectl wait --namespace "$namespace" --for=condition=complete --timeout=900s job/migrate
kubectl kustomize "$here/production" \
    | sed "s|image: registry.example.com/open-wallet:latest$|image: $image|" \
    | kubectl apply --filename -
for part in web worker beat; do
    kubectl rollout status --namespace "$namespace" --timeout=600s "deployment/$part"
done
