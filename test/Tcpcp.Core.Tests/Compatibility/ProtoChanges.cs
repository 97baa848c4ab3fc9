using Google.Protobuf.Reflection;

namespace Tcpcp.Core.Tests.Compatibility;

/// <summary>What of a frozen proto file is another one in the present.</summary>
internal static class ProtoChanges
{
    public static IEnumerable<string> Between(FileDescriptorProto frozen, FileDescriptorProto present)
    {
        if (frozen.Package != present.Package)
            yield return $"package {present.Package}";
        foreach (string change in frozen.MessageType.SelectMany(message => Between(message, present.MessageType.FirstOrDefault(one => one.Name == message.Name), message.Name))
            .Concat(frozen.EnumType.SelectMany(one => Between(one, present.EnumType.FirstOrDefault(other => other.Name == one.Name))))
            .Concat(frozen.Service.SelectMany(service => Between(service, present.Service.FirstOrDefault(one => one.Name == service.Name)))))
            yield return change;
    }

    private static IEnumerable<string> Between(DescriptorProto frozen, DescriptorProto? present, string path)
    {
        if (present is null)
            return [$"message {path} is gone"];
        return frozen.Field.Where(field => present.Field.FirstOrDefault(one => one.Number == field.Number) is not { } other || !AreSame(frozen, field, present, other))
            .Select(field => $"field {path}.{field.Name} = {field.Number} is another one, or gone")
            .Concat(present.Field.GroupBy(field => field.Number).Where(group => group.Count() > 1).Select(group => $"two fields of {path} have the number {group.Key}"))
            .Concat(frozen.NestedType.SelectMany(inner => Between(inner, present.NestedType.FirstOrDefault(one => one.Name == inner.Name), $"{path}.{inner.Name}")))
            .Concat(frozen.EnumType.SelectMany(one => Between(one, present.EnumType.FirstOrDefault(other => other.Name == one.Name))));
    }

    private static bool AreSame(DescriptorProto frozen, FieldDescriptorProto field, DescriptorProto present, FieldDescriptorProto other) =>
        field.Name == other.Name && field.Type == other.Type && field.TypeName == other.TypeName && field.Label == other.Label
        && OneofOf(frozen, field) == OneofOf(present, other);

    private static string? OneofOf(DescriptorProto message, FieldDescriptorProto field) => field.HasOneofIndex ? message.OneofDecl[field.OneofIndex].Name : null;

    private static IEnumerable<string> Between(EnumDescriptorProto frozen, EnumDescriptorProto? present) => frozen.Value
        .Where(value => present?.Value.Any(one => one.Name == value.Name && one.Number == value.Number) != true)
        .Select(value => $"{frozen.Name}.{value.Name} = {value.Number} is another one, or gone");

    private static IEnumerable<string> Between(ServiceDescriptorProto frozen, ServiceDescriptorProto? present) => frozen.Method
        .Where(method => present?.Method.Contains(method) != true).Select(method => $"{frozen.Name}.{method.Name} is another one, or gone");
}
